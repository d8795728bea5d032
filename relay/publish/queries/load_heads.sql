-- Holds that are to be retried now; among them dead ones that an operator has made due or discarded.
select
    seq, event_id, aggregate_type, aggregate_id, state, attempts, error, 0::float8, discard_reason
from outbox.holds
where shard = %(shard)s and state = 'failing' and next_attempt_at <= clock_timestamp()
order by seq
