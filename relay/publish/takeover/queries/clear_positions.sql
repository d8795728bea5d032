-- A higher epoch: a write of a worker that still runs matches no row.
with cleared as (
    delete from outbox.positions where shard = any(%(shards)s::integer[])
)
insert into outbox.shards as s (shard, epoch, worker)
select shard, 1, 'relay recover'
from unnest(%(shards)s::integer[]) as given (shard)
on conflict (shard) do update
set epoch = s.epoch + 1, worker = excluded.worker, read_from = null, updated_at = now()
