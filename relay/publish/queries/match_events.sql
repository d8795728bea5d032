-- Event ids found in topics that belong to a shard, with their rows' numbers, but for those that are
-- flagged already; null where the row is gone, unless `relay prune` has deleted it. The key of a
-- record is the aggregate's id.
select found.id, e.seq
from unnest(
    %(ids)s::text[], %(keys)s::text[], %(topics)s::text[], %(partitions)s::integer[],
    %(offsets)s::bigint[]
) as found (id, key, topic, partition, kafka_offset)
left join outbox.domain_events e on e.id = found.id
where outbox.shard_of(found.key, %(shards)s) = %(shard)s
  and not exists (select from outbox.deliveries d where d.seq = e.seq and d.copy = 0)
  and (
      e.seq is not null
      or not exists (
          select from outbox.pruned_offsets p
          where p.topic = found.topic and p.partition = found.partition
            and p.shard = %(shard)s and p.kafka_offset >= found.kafka_offset
      )
  )
