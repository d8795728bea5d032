-- Renews the shards that are held under these epochs.
update outbox.shards s
set updated_at = now()
from unnest(%(shards)s::integer[], %(epochs)s::bigint[]) as held (shard, epoch)
where s.shard = held.shard and s.epoch = held.epoch
