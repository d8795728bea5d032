-- A failure gives its time; what waits or is discarded keeps that of its last one.
insert into outbox.holds as h (
    seq, event_id, shard, aggregate_type, aggregate_id, state, attempts, error, next_attempt_at,
    first_failed_at, failed_at, discard_reason, discarded_at
)
select
    given.*,
    clock_timestamp() + make_interval(secs => %(retry_in)s),
    case when state in ('failing', 'dead') then clock_timestamp() end,
    case when state in ('failing', 'dead') then clock_timestamp() end,
    %(discard)s::text,
    case when %(discard)s::text is not null then clock_timestamp() end
from (
    values (
        %(seq)s::bigint, %(event_id)s::text, %(shard)s::integer, %(aggregate_type)s::text,
        %(aggregate_id)s::text, %(state)s::text, %(attempts)s::integer, %(error)s::text
    )
) as given (seq, event_id, shard, aggregate_type, aggregate_id, state, attempts, error)
on conflict (seq) do update
set state = excluded.state, attempts = excluded.attempts, error = excluded.error,
    next_attempt_at = excluded.next_attempt_at,
    first_failed_at = coalesce(h.first_failed_at, excluded.first_failed_at),
    failed_at = coalesce(excluded.failed_at, h.failed_at),
    discard_reason = coalesce(h.discard_reason, excluded.discard_reason),
    discarded_at = coalesce(h.discarded_at, excluded.discarded_at)
