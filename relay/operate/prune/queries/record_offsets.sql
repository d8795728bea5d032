insert into outbox.pruned_offsets as p (topic, partition, shard, kafka_offset)
select d.topic, d.partition, gone.shard, max(d.kafka_offset)
from prune_batch gone
join outbox.deliveries d on d.seq = gone.seq
where gone.reason is null and d.kafka_offset is not null
group by d.topic, d.partition, gone.shard
on conflict (topic, partition, shard) do update
set kafka_offset = greatest(p.kafka_offset, excluded.kafka_offset)
