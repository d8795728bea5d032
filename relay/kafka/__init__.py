"""Clients of Kafka: their options, and what they report."""
