select s.shard, o.worker, o.position -> 'position'
from generate_series(0, %(shards)s - 1) as s (shard)
left join outbox.shards o on o.shard = s.shard
order by s.shard
