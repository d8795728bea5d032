insert into outbox.outcomes (
    event_id, group_name, state, attempt, error, topic, partition, kafka_offset,
    dlq_topic, dlq_partition, dlq_offset, at
)
values (
    %(event_id)s, %(group)s, %(state)s, %(attempt)s, %(error)s, %(topic)s, %(partition)s,
    %(offset)s, %(dlq_topic)s, %(dlq_partition)s, %(dlq_offset)s,
    to_timestamp(%(at_ms)s / 1000.0)
)
-- Records of one event may come late, twice or out of order; a later attempt is the truth.
on conflict (event_id, group_name) do update
set state = excluded.state,
    attempt = excluded.attempt,
    error = coalesce(excluded.error, outcomes.error),
    dlq_topic = excluded.dlq_topic,
    dlq_partition = excluded.dlq_partition,
    dlq_offset = excluded.dlq_offset,
    at = excluded.at
where outcomes.attempt < excluded.attempt
