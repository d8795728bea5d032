-- Events behind each shard's position that are neither published nor held. Only what is fresh to
-- the shard furthest behind is looked at, by the index on (xid, seq).
with shard_position as materialized (
    select
        s.shard, o.worker, o.position -> 'position' as position,
        coalesce((o.position -> 'position' ->> 'seen')::pg_snapshot, '1:1:') as seen,
        (o.position -> 'position' ->> 'upto')::pg_snapshot as upto,
        (o.position -> 'position' ->> 'after')::bigint as after
    from generate_series(0, %(shards)s - 1) as s (shard)
    left join outbox.shards o on o.shard = s.shard
),
bound as materialized (
    select
        min(pg_snapshot_xmax(seen)) as xmax,
        array(select distinct pg_snapshot_xip(seen) from shard_position) as in_progress
    from shard_position
),
fresh as materialized (
    select
        e.seq, e.xid, e.created_at,
        ((hashtextextended(e.aggregate_id, 0) & 2147483647) %% %(shards)s)::integer as shard
    from outbox.domain_events e
    where e.xid = any((select in_progress from bound)::xid8[])
        or e.xid >= (select xmax from bound)
),
lag as (
    select f.shard, count(*) as events, min(f.created_at) as oldest
    from fresh f
    join shard_position p on p.shard = f.shard
    where not pg_visible_in_snapshot(f.xid, p.seen)
        and not coalesce(pg_visible_in_snapshot(f.xid, p.upto) and f.seq <= p.after, false)
        and not exists (select from outbox.deliveries d where d.seq = f.seq and d.copy = 0)
        and not exists (select from outbox.holds h where h.seq = f.seq)
    group by f.shard
)
select
    p.shard, p.worker, p.position, coalesce(lag.events, 0),
    extract(epoch from clock_timestamp() - lag.oldest)::float8
from shard_position p
left join lag on lag.shard = p.shard
order by p.shard
