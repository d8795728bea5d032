-- All that committed between two snapshots, where it fits a page: joined from the list of fresh
-- rows, so that no plan can walk the rows that were delivered long ago. A row is the 12 columns of
-- relay.capture.reader.Row.
with fresh as materialized (
    select f.seq
    from outbox.domain_events f
    where (f.xid = any(%(in_progress)s::xid8[]) or f.xid >= %(xmax)s::xid8)
      and pg_visible_in_snapshot(f.xid, %(upto)s::pg_snapshot)
)
select
    e.seq, e.id, e.event_type, e.schema_version, e.aggregate_type, e.aggregate_id,
    e.metadata::text, e.occurred_at::text, e.fingerprint, e.avro,
    case when e.avro is null then e.payload::text end,
    ((hashtextextended(e.aggregate_id, 0) & 2147483647) %% %(shards)s)::integer
from fresh
join outbox.domain_events e using (seq)
where (%(mine)s::integer[] is null
       or ((hashtextextended(e.aggregate_id, 0) & 2147483647) %% %(shards)s)::integer = any(%(mine)s))
order by e.seq
