-- Events after each shard's position that are neither published nor held. Only what is fresh to
-- the shard with the oldest position is read: in_progress, xmax and after are given as values, so
-- that the planner knows how few rows that is and takes the indexes on (xid, seq) and seq.
with shard_position as materialized (
    select *
    from unnest(
        %(numbers)s::integer[], %(seen)s::pg_snapshot[], %(upto)s::pg_snapshot[],
        %(afters)s::bigint[]
    ) as given (shard, seen, upto, after)
),
fresh as materialized (
    select
        e.seq, e.xid, e.created_at,
        outbox.shard_of(e.aggregate_id, %(shards)s) as shard
    from outbox.domain_events e
    where e.xid = any(%(in_progress)s::xid8[]) or e.xid >= %(xmax)s::xid8
        or e.seq > %(after)s::bigint
)
select
    f.shard, count(*), extract(epoch from clock_timestamp() - min(f.created_at))::float8
from fresh f
join shard_position p on p.shard = f.shard
where not pg_visible_in_snapshot(f.xid, p.seen)
    and not coalesce(pg_visible_in_snapshot(f.xid, p.upto) and f.seq <= p.after, false)
    and not exists (select from outbox.deliveries d where d.seq = f.seq and d.copy = 0)
    and not exists (select from outbox.holds h where h.seq = f.seq)
group by f.shard
