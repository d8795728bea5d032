-- Event ids found in topics that belong to a shard, with their rows' numbers; null where the row is
-- gone. The key of a record is the aggregate's id.
select found.id, e.seq
from unnest(%(ids)s::text[], %(keys)s::text[]) as found (id, key)
left join outbox.domain_events e on e.id = found.id
where outbox.shard_of(found.key, %(shards)s) = %(shard)s
