insert into inbox.parked (
    group_name, event_id, queue, event_type, topic, partition, kafka_offset, key, value,
    header_names, header_values, attempts, round_attempts, error, first_failed_at, next_attempt_at
)
values (
    %(group)s, %(event_id)s, inbox.queue(%(group)s, %(topic)s, %(key)s), %(event_type)s, %(topic)s,
    %(partition)s, %(offset)s, %(key)s, %(value)s, %(header_names)s, %(header_values)s::bytea[],
    %(attempts)s, %(attempts)s, %(error)s, %(first_failed_at)s,
    -- Without a pause: it waits after the head.
    clock_timestamp() + %(pause)s::interval
)
on conflict (group_name, event_id) do nothing
