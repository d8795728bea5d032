copy verify_records (
    ce_id, event_id, topic, partition, kafka_offset, copy, sequence, aggregate_type, aggregate_id,
    copies
) from stdin
