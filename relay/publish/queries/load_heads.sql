-- Holds that a person may have changed: given up ones that are to be tried again.
select seq, event_id, aggregate_type, aggregate_id, state, attempts, error, next_attempt_at
from outbox.holds
where shard = %(shard)s and state <> 'held'
order by seq
