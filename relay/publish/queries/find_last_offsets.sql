-- Up to where the flags of a shard's events reach in each partition.
select d.topic, d.partition, max(d.kafka_offset)
from outbox.deliveries d
join outbox.domain_events e using (seq)
where outbox.shard_of(e.aggregate_id, %(shards)s) = %(shard)s
  and d.kafka_offset is not null
group by d.topic, d.partition
