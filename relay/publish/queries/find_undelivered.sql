-- The rows of a step, as the relay read it, that have no flag yet.
select e.seq, e.id
from outbox.domain_events e
where e.seq > %(after)s
  and (%(through)s::bigint is null or e.seq <= %(through)s)
  and (e.xid = any(%(in_progress)s::xid8[]) or e.xid >= %(xmax)s::xid8)
  and pg_visible_in_snapshot(e.xid, %(upto)s::pg_snapshot)
  and outbox.shard_of(e.aggregate_id, %(shards)s) = %(shard)s
  and not exists (select from outbox.deliveries d where d.seq = e.seq)
  and not exists (select from outbox.holds h where h.seq = e.seq)
