"""Transactional outbox relay: PostgreSQL to Kafka, in order per aggregate, exactly once."""

__version__ = "0.1.0"
