-- The current database: schemas outbox (events, delivery, review), inbox (consumer groups) and
-- registry (the embedded schema registry). The role of publishing services and its grants are in
-- queries/grant_writers.sql. The revisions in migrations/ lead here from older databases.
--
-- `relay migrate --partitions monthly` takes what follows "with partitions:" and leaves out what
-- stands before "not with partitions"; see partitions.py.
--
-- Functions called by a publisher's statements run under the search_path of the caller, where
-- somebody else's function could replace PostgreSQL's own. So they set their search_path, or, to be
-- inlined, qualify every name and operator: a function with a setting is not inlined.

create schema if not exists outbox;
create schema if not exists inbox;
create schema if not exists registry;

----------------------------------------------------------------------------------------------------
-- outbox: events
----------------------------------------------------------------------------------------------------

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

-- Append-only. xid precedes seq, so a transaction has its id before it draws a number: a number is
-- never visible to a snapshot that does not know its transaction.
create table outbox.domain_events (
    xid            xid8        not null default pg_current_xact_id(),
    seq            bigint      generated always as identity (cache 1) primary key,
    id             text        not null default outbox.cuid2()
        unique -- not with partitions
        check (octet_length(id) between 1 and 255),
    event_type     text        not null check (octet_length(event_type) between 1 and 1024),
    schema_version integer     check (schema_version > 0),
    aggregate_type text        not null check (octet_length(aggregate_type) between 1 and 1024),
    aggregate_id   text        not null check (octet_length(aggregate_id) between 1 and 1024),
    payload        jsonb       not null,
    metadata       jsonb       not null default '{}' check (jsonb_typeof(metadata) = 'object'),
    -- RFC 3339, which CloudEvents require, and Python's datetime know the years 1 to 9999.
    occurred_at    timestamptz not null default now()
        check (occurred_at >= '0001-01-01 00:00Z' and occurred_at < '10000-01-01 00:00Z'),
    created_at     timestamptz not null default now()
        check (created_at >= '0001-01-01 00:00Z' and created_at < '10000-01-01 00:00Z'),
    fingerprint    bytea       check (octet_length(fingerprint) = 8),
    avro           bytea,
    check ((avro is null) = (fingerprint is null)),
    check (avro is null or schema_version is not null)
) -- with partitions: partition by range (seq)
;
-- Not unique: a unique index would have to contain seq. Ids are made by publish alone (H38).
-- with partitions: create index domain_events_id on outbox.domain_events (id);
comment on table outbox.domain_events is
    'One row per event, written in the transaction of the change that it reports.';
comment on column outbox.domain_events.schema_version is
    'null: written by SQL, the relay encodes with the active version';
comment on column outbox.domain_events.fingerprint is
    'CRC-64-AVRO of the Parsing Canonical Form of the schema that avro was encoded with';
create index domain_events_xid_seq on outbox.domain_events (xid, seq);
create index domain_events_aggregate on outbox.domain_events (aggregate_type, aggregate_id, seq);
-- By hash, because a correlation id of any length must fit the index.
create index domain_events_correlation
    on outbox.domain_events (
        pg_catalog.hashtextextended(metadata ->> 'correlationId', 0::bigint), seq
    );

-- The shard of an aggregate, from 0 to shards - 1. Inlined into capture's statements.
create function outbox.shard_of(aggregate_id text, shards integer) returns integer
language sql immutable parallel safe
as $$
    select (
        (pg_catalog.hashtextextended(aggregate_id, 0::bigint) operator(pg_catalog.&) 2147483647::bigint)
            operator(pg_catalog.%) shards::bigint
    )::integer
$$;
comment on function outbox.shard_of is
    'Pinned with the number of shards: another formula would move aggregates to other shards.';

-- Key of the advisory lock that puts concurrent writers of one aggregate in commit order.
create function outbox.aggregate_lock(aggregate_type text, aggregate_id text) returns bigint
language sql immutable strict parallel safe
as $$
    select pg_catalog.hashtextextended(
        aggregate_type operator(pg_catalog.||) pg_catalog.chr(31)
            operator(pg_catalog.||) aggregate_id,
        7237
    )
$$;

----------------------------------------------------------------------------------------------------
-- outbox: delivery
----------------------------------------------------------------------------------------------------

-- Narrow: COPY into a narrow table is cheap, an update of the wide row is not.
create table outbox.deliveries (
    seq          bigint      not null,
    copy         smallint    not null default 0,
    topic        text        not null,
    partition    integer,
    kafka_offset bigint,
    attempts     integer     not null default 1,
    delivered_at timestamptz not null default now(),
    primary key (seq, copy)
) -- with partitions: partition by range (seq)
;
comment on column outbox.deliveries.copy is
    '0 for the event''s own subject, higher for copies under further major subjects';
comment on column outbox.deliveries.kafka_offset is
    'null: delivered, but retention removed the record before its offset was known';

-- The only relay of this outbox, and what is pinned at its creation.
create table outbox.relay (
    only_one          boolean     primary key default true check (only_one),
    name              text        not null,
    shards            integer     not null check (shards between 1 and 256),
    system_identifier text        not null,
    database_oid      bigint      not null,
    cluster_id        text        not null,
    created_at        timestamptz not null default now()
);

-- Each topic's number of partitions, pinned: a key's partition must never change by itself.
create table outbox.topics (
    topic      text        primary key,
    partitions integer     not null check (partitions > 0),
    created_at timestamptz not null default now()
);

-- Who works on a shard, and the epoch that guards every write of a worker.
create table outbox.shards (
    shard      integer     primary key,
    epoch      bigint      not null default 0,
    worker     text,
    read_from  jsonb,
    updated_at timestamptz not null default now()
);
comment on column outbox.shards.read_from is
    'Offsets below which all of the shard''s records are flagged, by topic; a recovery reads from there';

-- Mirror of the positions topic: the last record of each shard. A transaction adds its row and deletes
-- the one before; an updated row would grow a chain of versions under a long open transaction.
create table outbox.positions (
    shard    integer not null,
    number   bigint  not null,
    position jsonb   not null,
    primary key (shard, number)
);
create view outbox.mirrors as
select distinct on (shard) shard, number, position
from outbox.positions
order by shard, number desc;
comment on view outbox.mirrors is 'The last position record of each shard.';

-- Events before the position that are not published, and why.
create table outbox.holds (
    seq             bigint      primary key,
    event_id        text        not null,
    shard           integer     not null,
    aggregate_type  text        not null,
    aggregate_id    text        not null,
    state           text        not null check (state in ('failing', 'held', 'dead', 'discarded')),
    attempts        integer     not null default 0,
    error           text        not null,
    next_attempt_at timestamptz,
    first_failed_at timestamptz,
    failed_at       timestamptz,
    discard_reason  text,
    discarded_at    timestamptz,
    created_at      timestamptz not null default now(),
    check ((state = 'failing') = (next_attempt_at is not null)),
    check ((discard_reason is null) = (discarded_at is null)),
    check (state <> 'discarded' or discard_reason is not null)
);
comment on column outbox.holds.state is
    'failing: retried at next_attempt_at; held: waits for an earlier event of its aggregate; dead: not retried; '
    'discarded: never published, later events of its aggregate go on';
comment on column outbox.holds.failed_at is 'Of the last attempt; null: none was made yet';
comment on column outbox.holds.discard_reason is
    'A person gave the event up; it is failing until its shard''s worker has seen that';
create index holds_shard on outbox.holds (shard, seq);
create index holds_due on outbox.holds (shard, next_attempt_at) where state = 'failing';

-- Events that a person had the relay try again after they were dead or discarded: later ones of their
-- aggregate may have passed them.
create table outbox.replays (
    seq         bigint      primary key,
    replayed_at timestamptz not null default now()
);

-- Outcomes of events in consumer groups; written only by the reconciler.
create table outbox.outcomes (
    event_id      text        not null,
    group_name    text        not null,
    state         text        not null check (state in ('dead', 'resolved')),
    attempt       integer     not null,
    error         text,
    topic         text        not null,
    partition     integer     not null,
    kafka_offset  bigint      not null,
    dlq_topic     text        not null,
    dlq_partition integer     not null,
    dlq_offset    bigint      not null,
    at            timestamptz not null default now(),
    primary key (event_id, group_name)
);
create index outcomes_dead on outbox.outcomes (group_name) where state = 'dead';

-- What `relay prune` has deleted: one row for each range of numbers. Rows of a range that are still
-- there were not pruned.
create table outbox.pruned (
    run      bigint      generated always as identity primary key,
    months   text,
    from_seq bigint      not null,
    to_seq   bigint      not null check (to_seq >= from_seq),
    events   bigint      not null check (events > 0),
    at       timestamptz not null default clock_timestamp()
);
comment on column outbox.pruned.months is 'The dropped partition; null: rows were deleted';

-- The highest offset of a shard's pruned events in each partition: like its flags, it says up to
-- where a recovery knows what is published.
create table outbox.pruned_offsets (
    topic        text    not null,
    partition    integer not null,
    shard        integer not null,
    kafka_offset bigint  not null,
    primary key (topic, partition, shard)
);

create function outbox.id_hash(event_id text) returns bigint
language sql immutable strict parallel safe
as $$ select pg_catalog.hashtextextended(event_id, 0::bigint) $$;

-- Hashes of the ids of pruned events, many in a row: eight bytes an event.
create table outbox.pruned_ids (
    run    bigint   not null references outbox.pruned (run),
    bucket smallint not null,
    hashes bigint[] not null
);
comment on column outbox.pruned_ids.bucket is 'The lowest eight bits of the hashes';
create index pruned_ids_bucket on outbox.pruned_ids (bucket);
create index pruned_ids_run on outbox.pruned_ids (run);

create view outbox.domain_event_status as
select
    e.xid, e.seq, e.id, e.event_type, e.schema_version, e.aggregate_type, e.aggregate_id,
    e.payload, e.metadata, e.occurred_at, e.created_at,
    d.topic, d.partition, d.kafka_offset, d.delivered_at,
    coalesce(d.attempts, h.attempts, 0) as delivery_attempts,
    coalesce(h.state = 'dead' or h.discard_reason is not null, false)
        or coalesce(o.dead, false) as dead_letter,
    coalesce(h.error, o.error) as last_error,
    case
        when d.seq is not null then 'delivered'
        when h.discard_reason is not null then 'discarded'
        else coalesce(h.state, 'pending')
    end as delivery_state,
    h.discard_reason, h.discarded_at
from outbox.domain_events e
left join outbox.deliveries d on d.seq = e.seq and d.copy = 0
left join outbox.holds h on h.seq = e.seq
left join lateral (
    select
        bool_or(outcome.state = 'dead') as dead,
        (array_agg(outcome.error order by outcome.at desc) filter (where outcome.state = 'dead'))[1] as error
    from outbox.outcomes outcome
    where outcome.event_id = e.id
) o on true;
comment on view outbox.domain_event_status is
    'Each event with its delivery, its hold and its outcomes in consumer groups.';

----------------------------------------------------------------------------------------------------
-- outbox: review of schema versions
----------------------------------------------------------------------------------------------------

-- The decisions about each schema version of an event type. In the outbox and not in the registry,
-- because the statement that writes an event reads them.
create table outbox.schema_versions (
    event_type     text        not null check (event_type <> ''),
    aggregate_type text        not null check (aggregate_type <> ''),
    version        integer     not null check (version > 0),
    subject        text        not null check (subject <> ''),
    fingerprint    bytea       not null check (octet_length(fingerprint) = 8),
    logical_digest bytea       not null check (octet_length(logical_digest) = 32),
    text           text        not null,
    state          text        not null
        check (state in ('proposed', 'approved', 'active', 'deprecated', 'retired')),
    adopted        boolean     not null default false,
    proposer       text        not null check (proposer <> ''),
    proposed_at    timestamptz not null default clock_timestamp(),
    approver       text        check (approver <> ''),
    approved_at    timestamptz,
    reason         text,
    sunset         date,
    changed_at     timestamptz not null default clock_timestamp(),
    primary key (event_type, version),
    constraint approved_by_another check (approver <> proposer),
    constraint approved_with_reason check (
        (approver is null) = (approved_at is null)
        and (approver is null or coalesce(reason, '') <> '')
    ),
    -- A withdrawn proposal needs no approver, and neither does an adopted version.
    constraint approved_before_active check (
        adopted or approver is not null or state in ('proposed', 'retired')
    ),
    constraint proposed_without_approver check (state <> 'proposed' or approver is null),
    constraint sunset_of_deprecated check (sunset is null or state in ('deprecated', 'retired'))
);
comment on column outbox.schema_versions.aggregate_type is
    'The catalog''s when the version was proposed; outbox.publish takes no other';
comment on column outbox.schema_versions.fingerprint is
    'CRC-64-AVRO of the Parsing Canonical Form, as in domain_events';
comment on column outbox.schema_versions.logical_digest is
    'SHA-256 of the Parsing Canonical Form and the logical types, which the fingerprint leaves out';
comment on column outbox.schema_versions.adopted is
    'In use before it was reviewed: adopted when the review began, or by a person';
comment on column outbox.schema_versions.reason is 'The approver''s';
create unique index one_active_version on outbox.schema_versions (event_type, subject)
    where state = 'active';

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
comment on column outbox.schema_history.from_state is 'null: the version did not exist';
comment on column outbox.schema_history.digest is 'SHA-256 of the schema''s text, UTF-8';
comment on column outbox.schema_history.db_user is
    'The connected role; actor is the name that it gave';
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

-- Checks whether events may be written under a version with this schema: it is in use, or the review
-- has not begun. The review begins with the first known version; later event types need a decision.
-- The logical digest is compared too: a class with another decimal scale has the same fingerprint,
-- and readers would misread its amounts. PL/pgSQL keeps the plan: planned with every insert, the
-- query would cost several times as much.
create function outbox.may_publish(
    event_type text, version integer, fingerprint bytea, logical_digest bytea
) returns boolean
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select coalesce(
            bool_or(
                v.version = may_publish.version and v.fingerprint = may_publish.fingerprint
                and v.logical_digest = may_publish.logical_digest
                and v.state in ('active', 'deprecated')
            ),
            not exists (select from outbox.schema_versions)
        )
        from outbox.schema_versions v
        where v.event_type = may_publish.event_type
    );
end
$$;

-- The row keeps the version that is active when it is written, so a later activation does not change
-- how it is read.
create function outbox.publish(
    event_type     text,
    aggregate_type text,
    aggregate_id   text,
    payload        jsonb,
    metadata       jsonb default '{}',
    occurred_at    timestamptz default now()
) returns text
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    event_id   text := outbox.cuid2();
    known      bigint;
    active     integer[];
    aggregates text[];
    wrong      text;
begin
    if event_type is null or aggregate_type is null or aggregate_id is null or payload is null then
        raise exception 'outbox.publish: event_type, aggregate_type, aggregate_id and payload must not be null'
            using errcode = 'null_value_not_allowed';
    end if;
    if jsonb_typeof(payload) <> 'object' or jsonb_typeof(metadata) <> 'object' then
        raise exception 'outbox.publish: payload and metadata must be JSON objects, they are % and %',
            jsonb_typeof(payload), coalesce(jsonb_typeof(metadata), 'null')
            using errcode = 'invalid_parameter_value';
    end if;
    if octet_length(aggregate_id) not between 1 and 1024 then
        raise exception 'outbox.publish: aggregate_id must have 1 to 1024 bytes, it has %',
            octet_length(aggregate_id)
            using errcode = 'check_violation';
    end if;
    if metadata <> '{}' then
        select format('%s is of type %s', quote_ident(m.key), jsonb_typeof(m.value)) into wrong
        from jsonb_each(metadata) as m
        where jsonb_typeof(m.value) not in ('string', 'null')
        limit 1;
        if wrong is not null then
            raise exception 'outbox.publish: the values of metadata must be strings, %', left(wrong, 200)
                using errcode = 'invalid_parameter_value';
        end if;
    end if;
    if occurred_at < '0001-01-01 00:00Z' or occurred_at >= '10000-01-01 00:00Z' then
        raise exception 'outbox.publish: occurred_at must lie in the years 1 to 9999, it is %', occurred_at
            using errcode = 'datetime_field_overflow';
    end if;
    select
        count(*), array_agg(v.version) filter (where v.state = 'active'),
        array_agg(v.aggregate_type) filter (where v.state = 'active')
    into known, active, aggregates
    from outbox.schema_versions v
    where v.event_type = publish.event_type;
    if known > 0 and active is null then
        raise exception 'outbox.publish: event type % has no active schema version', event_type
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'See: relay schemas history ' || event_type
                    || '. Activate one: relay schemas activate';
    end if;
    if known = 0 and exists (select from outbox.schema_versions) then
        raise exception 'outbox.publish: nobody has decided about event type %', event_type
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'Propose it: relay schemas propose. '
                    || 'What was in use before it came here: relay schemas adopt';
    end if;
    -- Under another name the event would have another lock, and no order with the others.
    if aggregate_type <> all (aggregates) then
        raise exception 'outbox.publish: events of type % belong to aggregate type %, not %',
            event_type, array_to_string(aggregates, ' or '), aggregate_type
            using errcode = 'invalid_parameter_value';
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
comment on function outbox.publish is
    'Writes an event in the caller''s transaction and returns its id.';

----------------------------------------------------------------------------------------------------
-- inbox: consumer groups
----------------------------------------------------------------------------------------------------

-- One number per group, topic and key: the advisory lock that every transaction of the key takes
-- first, and the id of the key's parked queue. Keys with the same number share both, which is safe.
create function inbox.queue(group_name text, topic text, key bytea) returns bigint
language sql immutable strict parallel safe
as $$
    select pg_catalog.hashtextextended(
        group_name operator(pg_catalog.||) pg_catalog.chr(31)
            operator(pg_catalog.||) topic operator(pg_catalog.||) pg_catalog.chr(31)
            operator(pg_catalog.||) pg_catalog.encode(key, 'hex'),
        30310
    )
$$;

create table inbox.processed (
    group_name   text        not null,
    event_id     text        not null,
    attempt      integer     not null default 1 check (attempt > 0),
    processed_at timestamptz not null default now(),
    primary key (group_name, event_id)
);
comment on table inbox.processed is
    'Written in the transaction of the handler''s effects: a group with a row here has acted.';

-- How far a group has read, in the database of its effects: where that goes back in time, the progress
-- goes back with it.
create table inbox.positions (
    group_name text        not null,
    place      text        not null,
    position   jsonb       not null,
    updated_at timestamptz not null default now(),
    primary key (group_name, place)
);
comment on column inbox.positions.place is 'topic[partition], also of retry and dead-letter topics';
comment on column inbox.positions.position is
    'topic_id, which a recreated topic has anew, and offset: the next to read';

-- Event types that some member of a group has a handler for: the others must not pass them over.
create table inbox.subscriptions (
    group_name  text        not null,
    event_type  text        not null,
    asserted_at timestamptz not null default clock_timestamp(),
    primary key (group_name, event_type)
);
comment on column inbox.subscriptions.asserted_at is 'Each member that runs says it once a minute';

create function inbox.subscribed(group_name text) returns text[]
language sql stable
as $$
    select coalesce(array_agg(s.event_type order by s.event_type), '{}')
    from inbox.subscriptions s
    where s.group_name = subscribed.group_name
$$;

-- Partitions that a member has and has not given up: after it has died, the next one is careful.
create table inbox.assigned (
    group_name text not null,
    place      text not null,
    member     text not null,
    primary key (group_name, place)
);
comment on column inbox.assigned.member is 'A process, by an id of its own';

-- Events that a careful member is about to handle: what is left of a process that died with them.
create table inbox.begun (
    group_name text    not null,
    event_id   text    not null,
    times      integer not null default 1 check (times > 0),
    primary key (group_name, event_id)
);

-- A key with parked events: its first one is tried at next_attempt_at, the others wait for it.
create table inbox.parked_queues (
    queue           bigint      not null,
    group_name      text        not null,
    next_attempt_at timestamptz not null,
    failures        integer     not null default 0 check (failures >= 0),
    inserts         integer     not null default 0 check (inserts >= 0),
    primary key (queue, group_name)
);
comment on column inbox.parked_queues.failures is
    'Attempts of its first event that failed while it was parked';
comment on column inbox.parked_queues.inserts is
    'Events that were put before others: a drain that goes on from where it was begins anew';
create index parked_queues_due on inbox.parked_queues (group_name, next_attempt_at);

create table inbox.parked (
    group_name      text        not null,
    event_id        text        not null,
    queue           bigint      not null,
    sequence        bigint      not null,
    arrival         bigint      not null generated always as identity,
    event_type      text,
    topic           text        not null,
    partition       integer     not null,
    kafka_offset    bigint      not null,
    key             bytea       not null,
    value           bytea,
    header_names    text[]      not null,
    header_values   bytea[]     not null,
    attempts        integer     not null default 0,
    round_attempts  integer     not null default 0,
    error           text,
    first_failed_at timestamptz,
    parked_at       timestamptz not null default now(),
    primary key (group_name, event_id),
    foreign key (queue, group_name) references inbox.parked_queues,
    check (round_attempts between 0 and attempts)
);
comment on column inbox.parked.sequence is
    'With arrival: the order of the queue. The event''s number in the outbox, but at least that of the last event of the queue, unless it is replayed';
comment on column inbox.parked.kafka_offset is 'With partition: where the event was first read';
comment on column inbox.parked.attempts is 'Of all rounds; a replay starts a new round';
create unique index parked_order on inbox.parked (queue, group_name, sequence, arrival);

create table inbox.dead_letters (
    group_name      text        not null,
    event_id        text        not null,
    attempt         integer     not null check (attempt > 0),
    state           text        not null default 'dead'
        check (state in ('dead', 'replayed', 'resolved', 'discarded')),
    event_type      text,
    topic           text        not null,
    partition       integer     not null,
    kafka_offset    bigint      not null,
    key             bytea       not null,
    value           bytea,
    header_names    text[]      not null,
    header_values   bytea[]     not null,
    stage           text        not null check (stage in ('decode', 'handle', 'commit')),
    error_class     text        not null,
    error           text        not null,
    stacktrace      text        not null,
    first_failed_at timestamptz not null,
    failed_at       timestamptz not null,
    settled_at      timestamptz,
    discard_reason  text,
    unsent          boolean     not null default true,
    sending_until   timestamptz,
    dlq_topic       text        not null,
    dlq_partition   integer,
    dlq_offset      bigint,
    primary key (group_name, event_id),
    check (state in ('dead', 'replayed') or settled_at is not null)
);
comment on column inbox.dead_letters.attempt is
    'The attempt that led to the state; grows over all replays, so later outcomes win';
comment on column inbox.dead_letters.unsent is
    'The state is not in the dead-letter topic yet; the group''s producer sends it';
create index dead_letters_unsent on inbox.dead_letters (group_name) where unsent;
create index dead_letters_failed on inbox.dead_letters (group_name, failed_at);

-- Dead letters that nobody has settled yet, of the relay and of all groups: what the numbers of dead
-- events count. An outcome counts for groups whose inbox is in another database.
create view outbox.open_dead_letters as
select event_id, 'relay' as group_name
from outbox.holds
where state = 'dead'
union all
select event_id, group_name
from inbox.dead_letters
where state in ('dead', 'replayed')
union all
select o.event_id, o.group_name
from outbox.outcomes o
where o.state = 'dead'
    and not exists (
        select from inbox.dead_letters l
        where l.group_name = o.group_name and l.event_id = o.event_id
    );

-- The schemas that members of a consumer group have decoded; updated every few seconds.
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
    'SHA-256 of the schema''s JSON with sorted keys: distinguishes versions with one fingerprint';
comment on column inbox.decoded.last_decoded_at is 'Up to a few seconds late';
create index decoded_event_type on inbox.decoded (event_type);

-- The running server, as positions remember it: it is another one after each of the ways in which a
-- database goes back in time.
create function inbox.server() returns text
language sql stable parallel safe
as $$
    select pg_catalog.pg_postmaster_start_time()::text
$$;

-- Returns the state of each event: settled, parked (its key waits) or free; n is its place in the arrays.
-- The caller holds the locks of the keys, and calls it in a statement that began afterwards.
create function inbox.states(group_name text, queues bigint[], event_ids text[])
returns table (n bigint, state text)
language sql stable
as $$
    select
        given.n,
        case when d.found or p.found then 'settled' when w.found then 'parked' else 'free' end
    from unnest(states.queues, states.event_ids) with ordinality as given (queue, event_id, n)
    -- Each a look into an index, however large or small the tables are.
    left join lateral (
        select true as found from inbox.dead_letters l
        where l.group_name = states.group_name and l.event_id = given.event_id limit 1
    ) as d on true
    left join lateral (
        select true as found from inbox.processed l
        where l.group_name = states.group_name and l.event_id = given.event_id limit 1
    ) as p on true
    left join lateral (
        select true as found from inbox.parked_queues l
        where l.queue = given.queue and l.group_name = states.group_name limit 1
    ) as w on true
$$;

-- The first statement of every handler transaction. Takes the locks of the keys that nobody has, then
-- returns for each event: run, parked (its key waits; append it), settled (nothing to do) or busy
-- (another transaction has its key); with the transaction's id and the running server. Nothing is waited
-- for, or all other keys would wait too. The handler's timeout starts at the end.
create function inbox.enter(
    group_name           text,
    topics               text[],
    keys                 bytea[],
    event_ids            text[],
    idle_timeout_ms      integer,
    statement_timeout_ms integer,
    out verdicts         text[],
    out transaction_id   xid8,
    out server           text
)
language plpgsql volatile
-- To plan it anew for each call would cost more than the call.
set plan_cache_mode to force_generic_plan
as $$
declare
    queues bigint[];
    taken  bigint[];
begin
    perform set_config('idle_in_transaction_session_timeout', idle_timeout_ms::text, true);
    select array_agg(inbox.queue(enter.group_name, t.topic, t.key) order by t.n)
    into queues
    from unnest(topics, keys) with ordinality as t (topic, key, n);
    select array_agg(distinct_queues.q) into taken
    from (select distinct q from unnest(queues) as q offset 0) as distinct_queues
    where pg_try_advisory_xact_lock(distinct_queues.q);
    -- A statement of its own: its snapshot must be taken after the locks.
    select array_agg(
        case
            when queues[s.n] <> all(coalesce(taken, '{}')) then 'busy'
            -- The same event twice among those that are entered is run once.
            when s.nth > 1 then 'settled'
            when s.state = 'free' then 'run'
            else s.state
        end
        order by s.n
    )
    into verdicts
    from (
        select f.n, f.state, row_number() over (partition by enter.event_ids[f.n] order by f.n) as nth
        from inbox.states(enter.group_name, queues, enter.event_ids) as f
    ) as s;
    transaction_id := pg_current_xact_id();
    server := inbox.server();
    perform set_config('statement_timeout', statement_timeout_ms::text, true);
end
$$;

-- The last statement of every handler transaction: writes the inbox rows of the events that were
-- handled. Raises RL001 where this is not the transaction that was entered, since a handler has ended
-- that one, and RL002 where an event was settled meanwhile.
create function inbox.settle(
    group_name text, event_ids text[], attempts integer[], transaction_id xid8
) returns void
language plpgsql volatile
set plan_cache_mode to force_generic_plan
as $$
declare
    written integer;
begin
    if settle.transaction_id <> pg_current_xact_id() then
        raise 'the transaction is not the one that was entered' using errcode = 'RL001';
    end if;
    insert into inbox.processed (group_name, event_id, attempt)
    select settle.group_name, given.event_id, given.attempt
    from unnest(event_ids, attempts) as given (event_id, attempt)
    on conflict do nothing;
    get diagnostics written = row_count;
    if written <> cardinality(event_ids) then
        raise 'an event was settled while it was handled' using errcode = 'RL002';
    end if;
end
$$;

-- The first events of due queues whose lock nobody has, which this takes: in their order, at most
-- `most` of each. A row without an event is a queue in which none was found. Where a drain goes on from
-- the last event that it settled (sequences, arrivals) it does not pass over the remains of those before,
-- which stay in the index as long as somebody has an old snapshot; unless events were put before others
-- since, which `inserts` tells, or this is not `known_server` any more.
create function inbox.claim(
    group_name           text,
    queues               bigint[],
    sequences            bigint[],
    arrivals             bigint[],
    inserts              integer[],
    known_server         text,
    most                 integer,
    idle_timeout_ms      integer,
    statement_timeout_ms integer
)
returns table (
    transaction_id xid8, server text, queue bigint, queue_inserts integer, is_processed boolean, event_id text,
    sequence bigint, arrival bigint, event_type text, topic text, "partition" integer,
    kafka_offset bigint, key bytea, value bytea, header_names text[], header_values bytea[],
    attempts integer, round_attempts integer, first_failed_at timestamptz
)
language plpgsql volatile
set plan_cache_mode to force_generic_plan
as $$
#variable_conflict use_column
declare
    taken bigint[];
begin
    perform set_config('idle_in_transaction_session_timeout', claim.idle_timeout_ms::text, true);
    select array_agg(given.q) into taken
    from unnest(claim.queues) as given (q)
    where pg_try_advisory_xact_lock(given.q);
    -- A statement of its own: its snapshot must be taken after the locks.
    return query
    with due as materialized (
        select
            q.queue, q.inserts,
            case when known.holds then given.sequence else -9223372036854775808 end as sequence,
            case when known.holds then given.arrival else 0 end as arrival
        from unnest(claim.queues, claim.sequences, claim.arrivals, claim.inserts)
            as given (queue, sequence, arrival, inserts)
        join inbox.parked_queues q
            on q.queue = given.queue and q.group_name = claim.group_name
        cross join lateral (
            select q.inserts = given.inserts and inbox.server() = claim.known_server as holds
        ) as known
        where given.queue = any(taken) and q.next_attempt_at <= clock_timestamp()
    ),
    heads as materialized (
        select due.queue, due.inserts, h.event_id,
            row_number() over (partition by due.queue order by h.sequence, h.arrival) as place
        from due
        left join lateral (
            select p.event_id, p.sequence, p.arrival
            from inbox.parked p
            where p.queue = due.queue and p.group_name = claim.group_name
                and (p.sequence, p.arrival) > (due.sequence, due.arrival)
            order by p.sequence, p.arrival
            limit claim.most
        ) as h on true
    ),
    locked as materialized (
        select p.*
        from inbox.parked p
        where p.group_name = claim.group_name
            and p.event_id = any(array(select h.event_id from heads h))
        for update skip locked
    ),
    held as materialized (
        -- Where a person changes an event's row: to skip only that would let the next event of the
        -- key overtake it, and to wait would keep the other queues waiting.
        select h.queue, min(h.place) as place
        from heads h
        where h.event_id is not null
            and not exists (select from locked l where l.event_id = h.event_id)
        group by h.queue
    )
    select
        pg_current_xact_id(), inbox.server(), h.queue, h.inserts,
        exists (
            select from inbox.processed d
            where d.group_name = claim.group_name and d.event_id = h.event_id
        ),
        h.event_id, l.sequence, l.arrival, l.event_type, l.topic, l.partition, l.kafka_offset, l.key,
        l.value, l.header_names, l.header_values, l.attempts, l.round_attempts, l.first_failed_at
    from heads h
    left join locked l on l.event_id = h.event_id
    left join held on held.queue = h.queue
    where held.place is null or h.place < held.place
    order by h.queue, h.place;
    perform set_config('statement_timeout', claim.statement_timeout_ms::text, true);
end
$$;

-- Takes events out of their queues, which the caller has locked; attempts: of each, when it was
-- claimed. A queue that is empty now ends. Returns how many there were.
create function inbox.unpark(group_name text, queues bigint[], event_ids text[], attempts integer[])
returns integer
language plpgsql volatile
set plan_cache_mode to force_generic_plan
as $$
declare
    deleted integer;
begin
    delete from inbox.parked p
    using unnest(unpark.event_ids, unpark.attempts) as given (event_id, attempts)
    where p.group_name = unpark.group_name and p.event_id = given.event_id
        and p.attempts = given.attempts;
    get diagnostics deleted = row_count;
    update inbox.parked_queues q set failures = 0
    where q.queue = any(unpark.queues) and q.group_name = unpark.group_name and q.failures > 0;
    delete from inbox.parked_queues q
    where q.queue = any(unpark.queues) and q.group_name = unpark.group_name
        -- From the end: at the beginning lie the remains of those that were taken out.
        and (
            select p.event_id
            from inbox.parked p
            where p.queue = q.queue and p.group_name = q.group_name
            order by p.sequence desc, p.arrival desc
            limit 1
        ) is null;
    return deleted;
end
$$;

----------------------------------------------------------------------------------------------------
-- registry: the embedded schema registry
----------------------------------------------------------------------------------------------------

-- An id belongs to one text forever, under every subject. Rows are never deleted, so records with the
-- id stay readable after their subject is deleted.
create table registry.schemas (
    id         integer     primary key check (id > 0),
    digest     bytea       not null unique check (length(digest) = 32),
    text       text        not null,
    refs       jsonb       not null default '[]' check (jsonb_typeof(refs) = 'array'),
    created_at timestamptz not null default now()
);

create table registry.versions (
    subject    text        not null check (subject <> ''),
    version    integer     not null check (version > 0),
    schema_id  integer     not null references registry.schemas (id),
    created_at timestamptz not null default now(),
    deleted_at timestamptz,
    primary key (subject, version)
);
create unique index versions_live_schema on registry.versions (subject, schema_id)
    where deleted_at is null;
create index versions_schema on registry.versions (schema_id);

-- scope: a subject, `:.context:` for a context, the empty string for everything.
create table registry.settings (
    scope         text primary key,
    compatibility text check (compatibility in (
        'NONE', 'BACKWARD', 'BACKWARD_TRANSITIVE', 'FORWARD', 'FORWARD_TRANSITIVE',
        'FULL', 'FULL_TRANSITIVE')),
    mode          text check (mode in ('READWRITE', 'READONLY', 'READONLY_OVERRIDE', 'IMPORT'))
);
