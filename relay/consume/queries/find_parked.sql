select
    pg_current_xact_id() as transaction_id, inbox.server() as server, p.queue,
    q.inserts as queue_inserts, false as is_processed, p.event_id, p.sequence, p.arrival,
    p.event_type, p.topic, p.partition, p.kafka_offset, p.key, p.value, p.header_names,
    p.header_values, p.attempts, p.round_attempts, p.first_failed_at
from inbox.parked p
join inbox.parked_queues q on q.queue = p.queue and q.group_name = p.group_name
where p.group_name = %(group)s and p.event_id = %(event_id)s
for update of p
