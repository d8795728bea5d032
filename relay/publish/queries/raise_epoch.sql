-- Takes the shard over: from now on a write under an older epoch matches no row. The mirror is read
-- by a statement of its own: one that waited for the row would see what was there before.
insert into outbox.shards as s (shard, epoch, worker)
values (%(shard)s, 1, %(worker)s)
on conflict (shard) do update
set epoch = s.epoch + 1, worker = excluded.worker, updated_at = now()
returning epoch
