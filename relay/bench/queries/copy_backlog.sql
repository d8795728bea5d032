copy outbox.domain_events
    (id, event_type, aggregate_type, aggregate_id, payload, metadata, occurred_at,
     schema_version, fingerprint, avro)
from stdin
