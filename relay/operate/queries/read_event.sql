select
    id, seq, event_type, schema_version, aggregate_type, aggregate_id, payload, metadata,
    occurred_at, created_at, topic, partition, kafka_offset, delivered_at, delivery_attempts,
    dead_letter, last_error, delivery_state, discard_reason, discarded_at
from outbox.domain_event_status
where id = %(event_id)s
