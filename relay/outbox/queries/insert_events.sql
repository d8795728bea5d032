-- All locks first, in one order for every publisher, so that two of them never wait crosswise;
-- then the rows, numbered in the order they were given.
with locked as materialized (
    select count(pg_advisory_xact_lock(wanted.key)) as locks
    from (
        select distinct outbox.aggregate_lock(aggregate.type, aggregate.id) as key
        from unnest(
            cast(%(aggregate_type)s as text[]), cast(%(aggregate_id)s as text[])
        ) as aggregate (type, id)
        where cast(%(lock)s as boolean)
        order by key
    ) as wanted
)
insert into outbox.domain_events (
    id, event_type, schema_version, aggregate_type, aggregate_id,
    payload, metadata, occurred_at, fingerprint, avro
)
select
    given.id, given.event_type, given.schema_version, given.aggregate_type, given.aggregate_id,
    cast(given.payload as jsonb), cast(given.metadata as jsonb), given.occurred_at,
    given.fingerprint, given.avro
from locked
cross join unnest(
    cast(%(id)s as text[]), cast(%(event_type)s as text[]), cast(%(schema_version)s as integer[]),
    cast(%(aggregate_type)s as text[]), cast(%(aggregate_id)s as text[]),
    cast(%(payload)s as text[]), cast(%(metadata)s as text[]),
    cast(%(occurred_at)s as timestamptz[]), cast(%(fingerprint)s as bytea[]),
    cast(%(avro)s as bytea[])
) with ordinality as given (
    id, event_type, schema_version, aggregate_type, aggregate_id,
    payload, metadata, occurred_at, fingerprint, avro, place
)
order by given.place
