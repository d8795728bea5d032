"""Everything about schemas, from Avro to reviews; usable without Kafka."""
