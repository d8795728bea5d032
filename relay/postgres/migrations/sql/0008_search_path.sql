-- Whoever may create functions in a schema of the caller's search_path could else put one in place
-- of PostgreSQL's own: hashtextextended(text, integer) fits 7237 better than the one that is meant,
-- and every aggregate, or key of a group, would have a lock of its choice.
-- In plain SQL with full names, since a function with a setting is not inlined.
create or replace function outbox.aggregate_lock(aggregate_type text, aggregate_id text)
returns bigint
language sql immutable strict parallel safe
as $$
    select pg_catalog.hashtextextended(
        aggregate_type operator(pg_catalog.||) pg_catalog.chr(31)
            operator(pg_catalog.||) aggregate_id,
        7237
    )
$$;

create or replace function inbox.queue(group_name text, topic text, key bytea)
returns bigint
language sql immutable strict parallel safe
as $$
    select pg_catalog.hashtextextended(
        group_name operator(pg_catalog.||) pg_catalog.chr(31)
            operator(pg_catalog.||) topic operator(pg_catalog.||) pg_catalog.chr(31)
            operator(pg_catalog.||) pg_catalog.encode(key, 'hex'),
        30310
    )
$$;

alter function outbox.publish(text, text, text, jsonb, jsonb, timestamptz)
    set search_path = pg_catalog, pg_temp;
alter function outbox.may_publish(text, integer, bytea) set search_path = pg_catalog, pg_temp;
