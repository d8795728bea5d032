-- Takes the shard over: from now on every write under an older epoch finds nothing to write to.
insert into outbox.shards as s (shard, epoch, worker)
values (%(shard)s, 1, %(worker)s)
on conflict (shard) do update
set epoch = s.epoch + 1, worker = excluded.worker, updated_at = now()
returning epoch, position
