-- Up to where the flags of a shard's events reach in each partition.
select d.topic, d.partition, max(d.kafka_offset)
from outbox.deliveries d
join outbox.domain_events e using (seq)
where ((hashtextextended(e.aggregate_id, 0) & 2147483647) %% %(shards)s)::integer = %(shard)s
  and d.kafka_offset is not null
group by d.topic, d.partition
