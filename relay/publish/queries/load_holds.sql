select
    seq, event_id, aggregate_type, aggregate_id, state, attempts, error,
    case when next_attempt_at is not null then greatest(0, least(
        extract(epoch from next_attempt_at - clock_timestamp())::float8, %(longest_pause)s::float8
    )) end,
    discard_reason
from outbox.holds
where shard = %(shard)s and state <> 'discarded' and (state <> 'dead' or %(with_dead)s)
order by seq
