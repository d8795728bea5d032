"""A client of any schema registry that speaks Confluent's HTTP API."""
