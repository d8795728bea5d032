copy outbox.deliveries (seq, topic, partition, kafka_offset, attempts) from stdin
