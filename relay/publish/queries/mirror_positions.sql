-- Guards the transaction that it is part of: another worker holds a shard that is not returned, and
-- nothing may be written for it. Outcomes of several epochs of a shard may come at once, and each is
-- guarded by its own. is_new: false where the position was there already, since the
-- transaction was committed before and only its answer was lost; null where no position is given.
-- xmax: one above the highest transaction id that the server has completed.
with held as materialized (
    select *
    from unnest(
        %(shards)s::integer[], %(epochs)s::bigint[], %(numbers)s::bigint[], %(positions)s::text[],
        %(read_from)s::text[]
    ) as held (shard, epoch, number, position, read_from)
),
found as materialized (
    select s.shard, s.epoch
    from outbox.shards s
    join held using (shard, epoch)
    for update of s
),
mirrored as (
    insert into outbox.positions (shard, number, position)
    select shard, number, position::jsonb
    from held
    join found using (shard, epoch)
    where position is not null
    on conflict do nothing
    returning shard
),
former as (
    delete from outbox.positions p
    using held, found
    where found.shard = held.shard and found.epoch = held.epoch
      and p.shard = held.shard and p.number = held.number - 1
),
bounded as (
    update outbox.shards s
    set read_from = held.read_from::jsonb
    from held
    join found using (shard, epoch)
    where s.shard = held.shard and held.read_from is not null
)
select
    found.shard, held.epoch,
    case when held.position is not null then mirrored.shard is not null end as is_new,
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint as xmax
from found
join held using (shard, epoch)
left join mirrored using (shard)
