-- The services' own tables.
create schema chaos;

-- Accounts and mirrors, with the number of their last event.
create table chaos.aggregates (
    id     text   primary key,
    number bigint not null default 0
);

-- What handlers did. Without a key: a second effect of an event has to be visible.
create table chaos.effects (
    position     bigint  generated always as identity,
    group_name   text    not null,
    event_id     text    not null,
    aggregate_id text    not null,
    number       bigint  not null,
    attempt      integer not null,
    topic        text    not null,
    partition    integer not null,
    kafka_offset bigint  not null
);
create index effects_event on chaos.effects (event_id, group_name);

-- A row here: the handlers are fixed, and no event fails any more.
create table chaos.fixed (at timestamptz not null default now());
