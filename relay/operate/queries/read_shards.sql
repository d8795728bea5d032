select
    s.shard,
    o.worker,
    m.position -> 'position',
    extract(epoch from clock_timestamp() - o.updated_at)::double precision
from generate_series(0, %(shards)s - 1) as s (shard)
left join outbox.shards o on o.shard = s.shard
left join outbox.mirrors m on m.shard = s.shard
order by s.shard
