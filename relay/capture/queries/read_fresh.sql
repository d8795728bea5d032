-- All that committed since a position, where it fits a page, and up to where that was: the snapshot,
-- the positions in the log that belong to it and the rows all come from one statement. The rows are
-- those of the index on (xid, seq), without a join: no plan can walk those that were delivered long
-- ago, or look for a row in every partition. Transactions that are open now have no place in the
-- ranges that the index is asked for, so their rows are not walked, however many they have.
-- The first row has no seq and is the reading: snapshot, insert and flush position, number of fresh
-- rows (up to one more than a page has). The others have the columns of relay.capture.row.
with reading as materialized (
    select coalesce(%(upto)s::pg_snapshot, pg_current_snapshot()) as upto
),
-- The ids that were given out since the position and are open now, and the first one to come.
bounds as materialized (
    select open_xid::text::bigint as bound
    from reading, pg_snapshot_xip(reading.upto) as open_xid
    where open_xid >= %(xmax)s::xid8
    union all
    select pg_snapshot_xmax(reading.upto)::text::bigint from reading
),
-- From `low` to below `bound` all transactions are over.
ranges as materialized (
    select
        coalesce(lag(bound) over (order by bound) + 1, %(xmax)s::text::bigint)::text::xid8 as low,
        bound::text::xid8 as bound
    from bounds
),
fresh as materialized (
    select
        f.seq, f.id, f.event_type, f.schema_version, f.aggregate_type, f.aggregate_id,
        f.metadata, f.occurred_at, f.fingerprint, f.avro, f.payload
    from outbox.domain_events f
    where f.xid = any(array(
        select was_open
        from reading, unnest(%(in_progress)s::xid8[]) as was_open
        where pg_visible_in_snapshot(was_open, reading.upto)
    ))
    union all
    select
        f.seq, f.id, f.event_type, f.schema_version, f.aggregate_type, f.aggregate_id,
        f.metadata, f.occurred_at, f.fingerprint, f.avro, f.payload
    from ranges, outbox.domain_events f
    where f.xid >= ranges.low and f.xid < ranges.bound
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
from fresh e
where (select count(*) from fresh) <= %(rows)s
  and (%(mine)s::integer[] is null
       or outbox.shard_of(e.aggregate_id, %(shards)s) = any(%(mine)s))
order by seq nulls first
