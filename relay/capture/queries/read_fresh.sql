-- All that committed since a position, where it fits a page, and up to where that was: the snapshot,
-- the positions in the log that belong to it and the rows all come from one statement. The rows are
-- joined from the list of fresh ones, so that no plan can walk those that were delivered long ago.
-- The first row has no seq and is the reading: snapshot, insert and flush position, number of fresh
-- rows (up to one more than a page has). The others have the columns of relay.capture.row.
with reading as materialized (
    select coalesce(%(upto)s::pg_snapshot, pg_current_snapshot()) as upto
),
fresh as materialized (
    select f.seq
    from reading, outbox.domain_events f
    where (f.xid = any(%(in_progress)s::xid8[]) or f.xid >= %(xmax)s::xid8)
      and pg_visible_in_snapshot(f.xid, reading.upto)
    limit %(rows)s + 1
)
select
    null::bigint as seq, upto::text, null, (select count(*) from fresh)::integer,
    (pg_current_wal_insert_lsn() - '0/0')::bigint::text,
    (pg_current_wal_flush_lsn() - '0/0')::bigint::text,
    null, null, null::bytea, null::bytea, null, null::integer
from reading
union all
select
    e.seq, e.id, e.event_type, e.schema_version, e.aggregate_type, e.aggregate_id,
    e.metadata::text, e.occurred_at::text, e.fingerprint, e.avro,
    case when e.avro is null then e.payload::text end as payload,
    outbox.shard_of(e.aggregate_id, %(shards)s) as shard
from fresh
join outbox.domain_events e using (seq)
where (select count(*) from fresh) <= %(rows)s
  and (%(mine)s::integer[] is null
       or outbox.shard_of(e.aggregate_id, %(shards)s) = any(%(mine)s))
order by seq nulls first
