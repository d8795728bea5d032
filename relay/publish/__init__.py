"""Publishes rows: one Kafka transaction a batch with its position, then the rows' flags."""
