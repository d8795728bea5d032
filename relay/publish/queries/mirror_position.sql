-- Guards the transaction that it stands in: no row, no write.
update outbox.shards
set position = %(position)s, updated_at = now()
where shard = %(shard)s and epoch = %(epoch)s
returning shard
