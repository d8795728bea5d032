create schema if not exists inbox;

-- One number a group, topic and key: the lock that every transaction of that key takes first,
-- and the name of the key's parked queue. Two keys with one number share both, which is safe.
create function inbox.queue(group_name text, topic text, key bytea) returns bigint
language sql immutable strict parallel safe
as $$ select hashtextextended(group_name || chr(31) || topic || chr(31) || encode(key, 'hex'), 30310) $$;

create table inbox.processed (
    group_name   text        not null,
    event_id     text        not null,
    attempt      integer     not null default 1 check (attempt > 0),
    processed_at timestamptz not null default now(),
    primary key (group_name, event_id)
);
comment on table inbox.processed is
    'Written in the transaction of the handler''s effects: who has a row here has acted.';

create table inbox.parked (
    group_name      text        not null,
    event_id        text        not null,
    queue           bigint      not null,
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
    next_attempt_at timestamptz,
    parked_at       timestamptz not null default now(),
    primary key (group_name, event_id),
    check (round_attempts between 0 and attempts)
);
comment on column inbox.parked.kafka_offset is
    'With partition: where the event was first read; the order of the key''s queue';
comment on column inbox.parked.attempts is 'Of all rounds; a replay starts a new round';
comment on column inbox.parked.next_attempt_at is 'null: waits behind the head of its queue';
create unique index parked_order on inbox.parked (queue, partition, kafka_offset, group_name, event_id);
create index parked_due_queue on inbox.parked (queue) where next_attempt_at is not null;
create index parked_due on inbox.parked (group_name, next_attempt_at) where next_attempt_at is not null;

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
    unsent          boolean     not null default true,
    sending_until   timestamptz,
    dlq_topic       text        not null,
    dlq_partition   integer,
    dlq_offset      bigint,
    primary key (group_name, event_id),
    check (state in ('dead', 'replayed') or settled_at is not null)
);
comment on column inbox.dead_letters.attempt is
    'The attempt that the state tells of; grows over all replays, so later outcomes win';
comment on column inbox.dead_letters.unsent is
    'The state is not in the dead-letter topic yet; the group''s sender sees to it';
create index dead_letters_unsent on inbox.dead_letters (group_name) where unsent;
create index dead_letters_failed on inbox.dead_letters (group_name, failed_at);

-- What is known of an event to a transaction that holds its key's lock.
create function inbox.look(group_name text, queue bigint, event_id text) returns text
language plpgsql volatile
as $$
begin
    if exists (
        select from inbox.dead_letters d
        where d.group_name = look.group_name and d.event_id = look.event_id
    ) or exists (
        select from inbox.processed p
        where p.group_name = look.group_name and p.event_id = look.event_id
    ) then
        return 'settled';
    elsif exists (
        select from inbox.parked p
        where p.queue = look.queue and p.group_name = look.group_name
    ) then
        return 'parked';
    end if;
    return 'free';
end
$$;

-- The first statement of every handler transaction. Takes the keys' locks, in one order for all
-- transactions, then says of each event: run (its inbox row is now written), parked (its key
-- waits; append it) or settled (nothing to do). Waiting for a lock has no time limit; only then
-- do the limits of the handler's own statements begin.
create function inbox.enter(
    group_name           text,
    topics               text[],
    keys                 bytea[],
    event_ids            text[],
    attempts             integer[],
    idle_timeout_ms      integer,
    statement_timeout_ms integer
) returns text[]
language plpgsql volatile
as $$
declare
    queues   bigint[];
    a_queue  bigint;
    verdicts text[] := '{}';
    verdict  text;
begin
    perform set_config('idle_in_transaction_session_timeout', idle_timeout_ms::text, true);
    select array_agg(inbox.queue(enter.group_name, t.topic, t.key) order by t.n)
    into queues
    from unnest(topics, keys) with ordinality as t (topic, key, n);
    for a_queue in select distinct q from unnest(queues) as q order by q loop
        perform pg_advisory_xact_lock(a_queue);
    end loop;
    for i in 1 .. cardinality(event_ids) loop
        verdict := inbox.look(enter.group_name, queues[i], event_ids[i]);
        if verdict = 'free' then
            insert into inbox.processed (group_name, event_id, attempt)
            values (enter.group_name, event_ids[i], attempts[i])
            on conflict do nothing;
            verdict := case when found then 'run' else 'settled' end;
        end if;
        verdicts := verdicts || verdict;
    end loop;
    perform set_config('statement_timeout', statement_timeout_ms::text, true);
    return verdicts;
end
$$;

-- After a queue's rows changed: its head is due or stays as it is, the others wait behind it.
create function inbox.promote(group_name text, queue bigint) returns void
language plpgsql volatile
as $$
declare
    head text;
begin
    select h.event_id into head
    from inbox.parked h
    where h.queue = promote.queue and h.group_name = promote.group_name
    order by h.partition, h.kafka_offset
    limit 1;
    update inbox.parked p set next_attempt_at = null
    where p.queue = promote.queue and p.group_name = promote.group_name
        and p.next_attempt_at is not null and p.event_id <> head;
    update inbox.parked p set next_attempt_at = clock_timestamp()
    where p.group_name = promote.group_name and p.event_id = head and p.next_attempt_at is null;
end
$$;
