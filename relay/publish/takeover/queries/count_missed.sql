-- Rows that their shard's position has passed and that have neither flag nor hold: they came with
-- transaction ids that the position sees already, as by a copy from a younger system. By shard.
select s.shard, count(*)
from outbox.mirrors s
join outbox.domain_events e on outbox.shard_of(e.aggregate_id, %(shards)s) = s.shard
where s.shard = any(%(settled)s::integer[])
  and pg_visible_in_snapshot(e.xid, (s.position -> 'position' ->> 'seen')::pg_snapshot)
  and not exists (select from outbox.deliveries d where d.seq = e.seq and d.copy = 0)
  and not exists (select from outbox.holds h where h.seq = e.seq)
group by s.shard
order by s.shard
