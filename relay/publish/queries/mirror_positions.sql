-- Guards the transaction that it stands in: a shard that does not come back is someone else's, and
-- nothing may be written for it.
update outbox.shards s
set position = coalesce(held.position::jsonb, s.position), updated_at = now()
from unnest(%(shards)s::integer[], %(epochs)s::bigint[], %(positions)s::text[])
    as held (shard, epoch, position)
where s.shard = held.shard and s.epoch = held.epoch
returning s.shard, s.epoch
