-- The one relay that serves this outbox, and what is pinned at its creation.
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

-- Mirror of the positions topic, and the epoch that every write of a worker is guarded by.
create table outbox.shards (
    shard      integer     primary key,
    epoch      bigint      not null default 0,
    worker     text,
    position   jsonb,
    updated_at timestamptz not null default now()
);

-- Events that the position has passed but that are not published, and why.
create table outbox.holds (
    seq             bigint      primary key,
    event_id        text        not null,
    shard           integer     not null,
    aggregate_type  text        not null,
    aggregate_id    text        not null,
    state           text        not null check (state in ('failing', 'held', 'dead')),
    attempts        integer     not null default 0,
    error           text        not null,
    next_attempt_at timestamptz,
    created_at      timestamptz not null default now(),
    check ((state = 'failing') = (next_attempt_at is not null))
);
comment on column outbox.holds.state is
    'failing: tried again at next_attempt_at; held: waits behind an earlier event of its aggregate; dead: given up';
create index holds_shard on outbox.holds (shard, seq);

-- What became of an event in a consumer group; written by the reconciler alone.
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

create view outbox.domain_event_status as
select
    e.xid, e.seq, e.id, e.event_type, e.schema_version, e.aggregate_type, e.aggregate_id,
    e.payload, e.metadata, e.occurred_at, e.created_at,
    d.topic, d.partition, d.kafka_offset, d.delivered_at,
    coalesce(d.attempts, h.attempts, 0) as delivery_attempts,
    coalesce(h.state = 'dead', false) or coalesce(o.dead, false) as dead_letter,
    coalesce(h.error, o.error) as last_error,
    case when d.seq is not null then 'delivered' else coalesce(h.state, 'pending') end as delivery_state
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
    'Each event with its delivery, its hold and what consumer groups made of it.';
