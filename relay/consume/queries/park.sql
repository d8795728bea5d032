with queues as (
    insert into inbox.parked_queues (queue, group_name, next_attempt_at)
    values (
        inbox.queue(%(group)s, %(topic)s, %(key)s), %(group)s,
        clock_timestamp() + %(pause)s::interval
    )
    on conflict do nothing
)
insert into inbox.parked (
    group_name, event_id, queue, sequence, event_type, topic, partition, kafka_offset, key, value,
    header_names, header_values, attempts, round_attempts, error, first_failed_at
)
values (
    %(group)s, %(event_id)s, inbox.queue(%(group)s, %(topic)s, %(key)s),
    coalesce(%(sequence)s::bigint, 0), %(event_type)s, %(topic)s, %(partition)s, %(offset)s, %(key)s,
    %(value)s, %(header_names)s, %(header_values)s::bytea[], %(attempts)s, %(attempts)s, %(error)s,
    %(first_failed_at)s
)
on conflict (group_name, event_id) do nothing
