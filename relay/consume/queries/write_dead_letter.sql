insert into inbox.dead_letters (
    group_name, event_id, attempt, event_type, topic, partition, kafka_offset, key, value,
    header_names, header_values, stage, error_class, error, stacktrace, first_failed_at, failed_at,
    dlq_topic
)
values (
    %(group)s, %(event_id)s, %(attempts)s, %(event_type)s, %(topic)s, %(partition)s, %(offset)s,
    %(key)s, %(value)s, %(header_names)s, %(header_values)s::bytea[], %(stage)s, %(error_class)s,
    %(error)s, %(stacktrace)s, %(first_failed_at)s, %(failed_at)s, %(dlq_topic)s
)
-- A replay that failed again: its first origin and its first failure stay.
on conflict (group_name, event_id) do update
set attempt = excluded.attempt,
    state = 'dead',
    stage = excluded.stage,
    error_class = excluded.error_class,
    error = excluded.error,
    stacktrace = excluded.stacktrace,
    failed_at = excluded.failed_at,
    settled_at = null,
    unsent = true,
    sending_until = null
where inbox.dead_letters.attempt < excluded.attempt
