-- Nothing where a person changes the head's row: to skip only that row would let the next
-- event of the key overtake it, and to wait would keep the other queues waiting.
select
    head.event_id, head.event_type, head.topic, head.partition, head.kafka_offset, head.key,
    head.value, head.header_names, head.header_values, head.attempts, head.round_attempts,
    head.first_failed_at,
    exists (
        select from inbox.processed p
        where p.group_name = %(group)s and p.event_id = head.event_id
    ),
    pg_current_xact_id()::text,
    set_config('statement_timeout', %(statement_timeout_ms)s, true)
from (
    select * from inbox.parked
    where group_name = %(group)s and event_id = (
        select event_id from inbox.parked
        where queue = %(queue)s and group_name = %(group)s
        order by partition, kafka_offset
        limit 1
    )
    for update skip locked
) as head
where coalesce(head.next_attempt_at, clock_timestamp()) <= clock_timestamp()
