select seq, event_id, aggregate_type, aggregate_id, state, attempts, error, next_attempt_at
from outbox.holds
where shard = %(shard)s
order by seq
