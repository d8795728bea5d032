-- The lock is taken before the row's number is drawn: column defaults are evaluated for the rows of
-- `locked`, which exist once the lock is held. Inserts no row if the event type is under review and
-- this version, with this schema, is not in use.
with locked as materialized (
    select case when cast(%(lock)s as boolean) then
        pg_advisory_xact_lock(outbox.aggregate_lock(
            cast(%(aggregate_type)s as text), cast(%(aggregate_id)s as text)
        ))
    end
)
insert into outbox.domain_events (
    id, event_type, schema_version, aggregate_type, aggregate_id,
    payload, metadata, occurred_at, fingerprint, avro
)
select
    cast(%(id)s as text), cast(%(event_type)s as text), cast(%(schema_version)s as integer),
    cast(%(aggregate_type)s as text), cast(%(aggregate_id)s as text),
    cast(cast(%(payload)s as text) as jsonb), cast(cast(%(metadata)s as text) as jsonb),
    cast(%(occurred_at)s as timestamptz), cast(%(fingerprint)s as bytea), cast(%(avro)s as bytea)
from locked
where outbox.may_publish(
    cast(%(event_type)s as text), cast(%(schema_version)s as integer),
    cast(%(fingerprint)s as bytea), cast(%(logical_digest)s as bytea)
)
