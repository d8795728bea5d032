copy outbox.deliveries (seq, copy, topic, partition, kafka_offset, attempts) from stdin
