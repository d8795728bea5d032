-- Rows of a shard whose flags name these places, by seq.
select e.seq, e.id, e.aggregate_type, e.aggregate_id, found.topic, found.partition, found.kafka_offset
from unnest(
    %(ids)s::text[], %(topics)s::text[], %(partitions)s::integer[], %(offsets)s::bigint[]
) as found (id, topic, partition, kafka_offset)
join outbox.domain_events e on e.id = found.id
join outbox.deliveries d
    on d.seq = e.seq and d.topic = found.topic and d.partition = found.partition
    and d.kafka_offset = found.kafka_offset
where outbox.shard_of(e.aggregate_id, %(shards)s) = %(shard)s
order by e.seq
