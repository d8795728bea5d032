select
    head.event_id, head.event_type, head.topic, head.partition, head.kafka_offset, head.key,
    head.value, head.header_names, head.header_values, head.attempts, head.round_attempts,
    head.first_failed_at
from (
    select * from inbox.parked
    where queue = %(queue)s and group_name = %(group)s
    order by partition, kafka_offset
    limit 1
    -- Waits where somebody changes the row by hand: to skip it would let the next one overtake it.
    for update
) as head
where coalesce(head.next_attempt_at, clock_timestamp()) <= clock_timestamp()
