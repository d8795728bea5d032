-- A page of a backlog, inside one snapshot, upwards from a number. A row has the columns of
-- relay.capture.row.
select
    e.seq, e.id, e.event_type, e.schema_version, e.aggregate_type, e.aggregate_id,
    e.metadata::text, e.occurred_at::text, e.fingerprint, e.avro,
    case when e.avro is null then e.payload::text end as payload,
    outbox.shard_of(e.aggregate_id, %(shards)s) as shard
from outbox.domain_events e
where e.seq > %(after)s
  and (%(through)s::bigint is null or e.seq <= %(through)s)
  and (e.xid = any(%(in_progress)s::xid8[]) or e.xid >= %(xmax)s::xid8)
  and pg_visible_in_snapshot(e.xid, %(upto)s::pg_snapshot)
  and (%(mine)s::integer[] is null
       or outbox.shard_of(e.aggregate_id, %(shards)s) = any(%(mine)s))
  and (not %(recovering)s
       or not exists (select from outbox.deliveries d where d.seq = e.seq)
          and not exists (select from outbox.holds h where h.seq = e.seq))
order by e.seq
limit %(rows)s
