"""Client of any schema registry with Confluent's API."""
