"""Kafka: clients and their options, topics, offsets and ranges, headers and frame."""
