insert into outbox.holds
    (seq, event_id, shard, aggregate_type, aggregate_id, state, attempts, error, next_attempt_at)
values (
    %(seq)s, %(event_id)s, %(shard)s, %(aggregate_type)s, %(aggregate_id)s, %(state)s,
    %(attempts)s, %(error)s, %(next_attempt_at)s
)
on conflict (seq) do update
set state = excluded.state, attempts = excluded.attempts, error = excluded.error,
    next_attempt_at = excluded.next_attempt_at
