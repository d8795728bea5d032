-- Guards the transaction that it stands in: a shard that does not come back is someone else's, and
-- nothing may be written for it. What comes back is the number that the mirror stood at: where it
-- is the one to be written, the transaction was committed before and only its answer was lost.
with held as materialized (
    select *
    from unnest(%(shards)s::integer[], %(epochs)s::bigint[], %(positions)s::text[])
        as held (shard, epoch, position)
),
found as materialized (
    select s.shard, s.epoch, (s.position ->> 'number')::bigint as number
    from outbox.shards s
    join held using (shard, epoch)
    for update of s
),
mirrored as (
    update outbox.shards s
    set position = held.position::jsonb, updated_at = now()
    from held
    join found using (shard, epoch)
    where s.shard = held.shard and s.epoch = held.epoch and held.position is not null
)
select shard, epoch, number from found
