-- A higher epoch: what a worker that still runs would write finds nothing to write to.
insert into outbox.shards as s (shard, epoch, worker, position)
select shard, 1, 'relay recover', null
from unnest(%(shards)s::integer[]) as given (shard)
on conflict (shard) do update
set epoch = s.epoch + 1, worker = excluded.worker, position = null, updated_at = now()
