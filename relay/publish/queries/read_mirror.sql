-- A shard's last position record, where a recovery of the shard begins to read the topics, and the
-- snapshot. Older records are left behind by recoveries.
with older as (
    delete from outbox.positions p
    using outbox.mirrors m
    where p.shard = %(shard)s and m.shard = p.shard and p.number < m.number
)
select m.position, s.read_from, pg_current_snapshot()::text
from outbox.shards s
left join outbox.mirrors m using (shard)
where s.shard = %(shard)s
