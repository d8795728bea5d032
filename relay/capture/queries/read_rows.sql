-- Single rows by their numbers: held ones that are tried again. They have the columns of
-- relay.capture.row.
select
    e.seq, e.id, e.event_type, e.schema_version, e.aggregate_type, e.aggregate_id,
    e.metadata::text, e.occurred_at::text, e.fingerprint, e.avro,
    case when e.avro is null then e.payload::text end as payload,
    outbox.shard_of(e.aggregate_id, %(shards)s) as shard
from outbox.domain_events e
where e.seq = any(%(seqs)s)
order by e.seq
