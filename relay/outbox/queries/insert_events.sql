-- Takes all locks first, in the same order for every publisher, so that there is no deadlock. Then
-- the rows draw their numbers in the given order: column defaults are evaluated for the rows of the
-- last select, which returns none before `locked`. Inserts no row at all if any event type is under
-- review and its version, with its schema, is not in use.
with given as materialized (
    select *
    from rows from (
        json_to_recordset(cast(%(rows)s as json)) as (
            id text, event_type text, schema_version integer, aggregate_type text,
            aggregate_id text, payload jsonb, metadata jsonb, occurred_at timestamptz,
            fingerprint text, logical_digest text, avro text
        )
    ) with ordinality as given (
        id, event_type, schema_version, aggregate_type, aggregate_id,
        payload, metadata, occurred_at, fingerprint, logical_digest, avro, place
    )
),
-- Materialized, or the condition would be evaluated for every row.
kinds as materialized (
    select distinct event_type, schema_version, fingerprint, logical_digest from given
),
locked as materialized (
    select count(pg_advisory_xact_lock(aggregate.key))
    from (
        select distinct outbox.aggregate_lock(aggregate_type, aggregate_id) as key
        from given
        where cast(%(lock)s as boolean)
        order by key
    ) as aggregate
)
insert into outbox.domain_events (
    id, event_type, schema_version, aggregate_type, aggregate_id,
    payload, metadata, occurred_at, fingerprint, avro
)
select
    given.id, given.event_type, given.schema_version, given.aggregate_type, given.aggregate_id,
    given.payload, given.metadata, given.occurred_at,
    decode(given.fingerprint, 'hex'), decode(given.avro, 'base64')
from locked
cross join given
where not exists (
    select from kinds
    where not outbox.may_publish(
        kinds.event_type, kinds.schema_version, decode(kinds.fingerprint, 'hex'),
        decode(kinds.logical_digest, 'hex')
    )
)
order by given.place
