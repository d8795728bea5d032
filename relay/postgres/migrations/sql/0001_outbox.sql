create schema if not exists outbox;

-- Cuid2 (ADR 0001): a letter and 23 characters of base 36 from a hash over 244 random bits.
create function outbox.cuid2() returns text
language sql volatile parallel safe
set search_path = pg_catalog
as $$
    select chr(97 + get_byte(digest, 0) % 26) || string_agg(
        substr('0123456789abcdefghijklmnopqrstuvwxyz', get_byte(digest, i) % 36 + 1, 1), '' order by i
    )
    from sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) as digest,
        generate_series(1, 23) as i
    group by digest
$$;

-- Append-only. xid stands before seq, so that the transaction has its id before it draws a number:
-- a number is never visible to a snapshot that does not know its transaction.
create table outbox.domain_events (
    xid            xid8        not null default pg_current_xact_id(),
    seq            bigint      generated always as identity (cache 1) primary key,
    id             text        not null default outbox.cuid2() unique,
    event_type     text        not null check (octet_length(event_type) between 1 and 1024),
    schema_version integer     check (schema_version > 0),
    aggregate_type text        not null check (octet_length(aggregate_type) between 1 and 1024),
    aggregate_id   text        not null check (octet_length(aggregate_id) between 1 and 1024),
    payload        jsonb       not null,
    metadata       jsonb       not null default '{}' check (jsonb_typeof(metadata) = 'object'),
    occurred_at    timestamptz not null default now(),
    created_at     timestamptz not null default now(),
    fingerprint    bytea       check (octet_length(fingerprint) = 8),
    avro           bytea,
    check ((avro is null) = (fingerprint is null)),
    check (avro is null or schema_version is not null)
);

comment on table outbox.domain_events is
    'One row an event, written in the transaction of the change that it tells of.';
comment on column outbox.domain_events.schema_version is
    'null: written by SQL, the relay encodes with the active version';
comment on column outbox.domain_events.fingerprint is
    'CRC-64-AVRO of the Parsing Canonical Form of the schema that avro was encoded with';

create index domain_events_xid_seq on outbox.domain_events (xid, seq);
create index domain_events_aggregate on outbox.domain_events (aggregate_type, aggregate_id, seq);
-- By hash, because a correlation id of any length must fit the index.
create index domain_events_correlation
    on outbox.domain_events (hashtextextended(metadata ->> 'correlationId', 0), seq);

-- Narrow, because COPY into a narrow table is cheap and an update of the wide row is not.
create table outbox.deliveries (
    seq          bigint      not null,
    copy         smallint    not null default 0,
    topic        text        not null,
    partition    integer,
    kafka_offset bigint,
    attempts     integer     not null default 1,
    delivered_at timestamptz not null default now(),
    primary key (seq, copy)
);
comment on column outbox.deliveries.kafka_offset is
    'null: delivered, but retention took the record before its offset was known';
comment on column outbox.deliveries.copy is
    '0 for the event''s own subject, higher for copies under further major subjects';

-- The lock that puts concurrent writers of one aggregate in commit order.
create function outbox.aggregate_lock(aggregate_type text, aggregate_id text) returns bigint
language sql immutable strict parallel safe
as $$ select hashtextextended(aggregate_type || chr(31) || aggregate_id, 7237) $$;

create function outbox.publish(
    event_type     text,
    aggregate_type text,
    aggregate_id   text,
    payload        jsonb,
    metadata       jsonb default '{}',
    occurred_at    timestamptz default now()
) returns text
language plpgsql volatile
as $$
declare
    event_id text := outbox.cuid2();
begin
    if event_type is null or aggregate_type is null or aggregate_id is null or payload is null then
        raise exception 'outbox.publish: event_type, aggregate_type, aggregate_id and payload must not be null'
            using errcode = 'null_value_not_allowed';
    end if;
    perform pg_advisory_xact_lock(outbox.aggregate_lock(aggregate_type, aggregate_id));
    insert into outbox.domain_events
        (id, event_type, aggregate_type, aggregate_id, payload, metadata, occurred_at)
    values (
        event_id, publish.event_type, publish.aggregate_type, publish.aggregate_id, publish.payload,
        -- An event that nothing led to starts a correlation of its own.
        jsonb_build_object('correlationId', event_id)
            || jsonb_strip_nulls(coalesce(publish.metadata, '{}')),
        coalesce(publish.occurred_at, now())
    );
    return event_id;
end
$$;
comment on function outbox.publish is
    'Writes an event in the caller''s transaction and returns its id.';

-- The writers' role: everything but xid and seq may be inserted, nothing changed or deleted.
do $$
begin
    if not exists (select from pg_roles where rolname = 'outbox_writer') then
        create role outbox_writer nologin;
    end if;
exception
    when duplicate_object or unique_violation then null;
    when insufficient_privilege then
        raise warning 'role outbox_writer was not created: have an administrator create it and run relay migrate again';
end
$$;

do $$
begin
    if exists (select from pg_roles where rolname = 'outbox_writer') then
        grant usage on schema outbox to outbox_writer;
        grant select on outbox.domain_events to outbox_writer;
        grant insert (
            id, event_type, schema_version, aggregate_type, aggregate_id, payload, metadata,
            occurred_at, created_at, fingerprint, avro
        ) on outbox.domain_events to outbox_writer;
    end if;
end
$$;
