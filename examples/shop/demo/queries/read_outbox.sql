select id, seq, aggregate_id, topic, partition, kafka_offset
from outbox.domain_event_status
order by seq
