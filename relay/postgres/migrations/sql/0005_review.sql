-- What was decided about each version of an event type's schema. It stands beside the outbox and
-- not beside the registry, because the statement that writes an event asks it.
create table outbox.schema_versions (
    event_type  text        not null check (event_type <> ''),
    version     integer     not null check (version > 0),
    subject     text        not null check (subject <> ''),
    fingerprint bytea       not null check (octet_length(fingerprint) = 8),
    text        text        not null,
    state       text        not null
        check (state in ('proposed', 'approved', 'active', 'deprecated', 'retired')),
    adopted     boolean     not null default false,
    proposer    text        not null check (proposer <> ''),
    proposed_at timestamptz not null default clock_timestamp(),
    approver    text        check (approver <> ''),
    approved_at timestamptz,
    reason      text,
    sunset      date,
    changed_at  timestamptz not null default clock_timestamp(),
    primary key (event_type, version),
    constraint approved_by_another check (approver <> proposer),
    constraint approved_with_reason check (
        (approver is null) = (approved_at is null)
        and (approver is null or coalesce(reason, '') <> '')
    ),
    -- A proposal that is given up needs no approver, and neither does what was there before.
    constraint approved_before_active check (
        adopted or approver is not null or state in ('proposed', 'retired')
    ),
    constraint proposed_without_approver check (state <> 'proposed' or approver is null),
    constraint sunset_of_deprecated check (sunset is null or state in ('deprecated', 'retired'))
);
create unique index one_active_version on outbox.schema_versions (event_type, subject)
    where state = 'active';
comment on column outbox.schema_versions.fingerprint is
    'CRC-64-AVRO of the Parsing Canonical Form, as in domain_events';
comment on column outbox.schema_versions.adopted is
    'Was in use before its event type had any row here, and so never reviewed';
comment on column outbox.schema_versions.reason is 'The approver''s';

create table outbox.schema_history (
    id         bigint      generated always as identity primary key,
    at         timestamptz not null default clock_timestamp(),
    event_type text        not null,
    version    integer     not null,
    action     text        not null
        check (action in ('adopt', 'propose', 'approve', 'activate', 'deprecate', 'retire')),
    from_state text,
    to_state   text        not null,
    actor      text        not null check (actor <> ''),
    reason     text,
    forced     boolean     not null default false,
    sunset     date,
    digest     bytea       not null check (octet_length(digest) = 32),
    db_user    text        not null default session_user,
    constraint forced_with_reason check (not forced or coalesce(reason, '') <> '')
);
comment on column outbox.schema_history.from_state is 'null: the version was not there before';
comment on column outbox.schema_history.db_user is
    'Who was connected; actor is what that connection says of itself';
comment on column outbox.schema_history.digest is 'SHA-256 of the schema''s text, UTF-8';
create index schema_history_version on outbox.schema_history (event_type, version, id);

create function outbox.refuse_change() returns trigger
language plpgsql
as $$
begin
    raise exception '%.% is append-only', tg_table_schema, tg_table_name
        using errcode = 'object_not_in_prerequisite_state';
end
$$;
create trigger schema_history_append_only
    before update or delete or truncate on outbox.schema_history
    for each statement execute function outbox.refuse_change();

do $$
begin
    if exists (select from pg_roles where rolname = 'outbox_writer') then
        grant select (event_type, version, subject, fingerprint, state)
            on outbox.schema_versions to outbox_writer;
    end if;
end
$$;

-- Whether events may be written under a version with this schema: it is in use, or nobody decided
-- about the event type yet. In PL/pgSQL, which keeps the plan: planned with every insert, the
-- question would cost several times as much.
create function outbox.may_publish(event_type text, version integer, fingerprint bytea)
returns boolean
language plpgsql stable parallel safe
as $$
begin
    return (
        select coalesce(
            bool_or(
                v.version = may_publish.version and v.fingerprint = may_publish.fingerprint
                and v.state in ('active', 'deprecated')
            ),
            true
        )
        from outbox.schema_versions v
        where v.event_type = may_publish.event_type
    );
end
$$;

-- As before, and the row now keeps the version that is active when it is written, so that
-- activating another one does not change how it is read.
create or replace function outbox.publish(
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
    known    bigint;
    active   integer[];
begin
    if event_type is null or aggregate_type is null or aggregate_id is null or payload is null then
        raise exception 'outbox.publish: event_type, aggregate_type, aggregate_id and payload must not be null'
            using errcode = 'null_value_not_allowed';
    end if;
    select count(*), array_agg(v.version) filter (where v.state = 'active')
    into known, active
    from outbox.schema_versions v
    where v.event_type = publish.event_type;
    if known > 0 and active is null then
        raise exception 'outbox.publish: event type % has no active schema version', event_type
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'See: relay schemas history ' || event_type
                    || '. Activate one: relay schemas activate';
    end if;
    perform pg_advisory_xact_lock(outbox.aggregate_lock(aggregate_type, aggregate_id));
    insert into outbox.domain_events (
        id, event_type, schema_version, aggregate_type, aggregate_id, payload, metadata, occurred_at
    )
    values (
        event_id, publish.event_type,
        -- With one for each of several subjects the relay decides.
        case when cardinality(active) = 1 then active[1] end,
        publish.aggregate_type, publish.aggregate_id, publish.payload,
        -- An event that nothing led to starts a correlation of its own.
        jsonb_build_object('correlationId', event_id)
            || jsonb_strip_nulls(coalesce(publish.metadata, '{}')),
        coalesce(publish.occurred_at, now())
    );
    return event_id;
end
$$;

-- What the members of a consumer group have decoded; one row a schema, touched every few seconds.
create table inbox.decoded (
    group_name      text        not null,
    event_type      text        not null,
    subject         text        not null,
    schema_id       integer     not null,
    fingerprint     bytea       not null check (octet_length(fingerprint) = 8),
    digest          bytea       not null check (octet_length(digest) = 32),
    last_decoded_at timestamptz not null default clock_timestamp(),
    primary key (group_name, event_type, subject, schema_id)
);
comment on column inbox.decoded.schema_id is 'The registry''s id of the schema of the writer';
comment on column inbox.decoded.digest is
    'SHA-256 of the schema''s JSON with sorted keys: tells versions with one fingerprint apart';
comment on column inbox.decoded.last_decoded_at is 'At most some seconds late';
create index decoded_event_type on inbox.decoded (event_type);
