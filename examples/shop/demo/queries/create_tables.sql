create schema demo;

-- What is to go wrong, and whether somebody has repaired it since.
create table demo.faults (
    group_name   text    not null,
    event_type   text    not null,
    aggregate_id text    not null,
    failures     integer not null,
    reason       text    not null,
    fixed        boolean not null default false,
    primary key (group_name, event_type, aggregate_id)
);

-- The writers' own account, to hold against what the outbox and the topics say.
create table demo.written (
    event_id  text        primary key,
    step      text        not null,
    committed boolean     not null,
    at        timestamptz not null
);

-- Parked events leave inbox.parked when they are settled; the demo wants to count them all.
create table demo.parked (
    group_name text not null,
    event_id   text not null,
    primary key (group_name, event_id)
);
create function demo.note_parked() returns trigger language plpgsql as $$
begin
    insert into demo.parked values (new.group_name, new.event_id) on conflict do nothing;
    return null;
end
$$;
create trigger note_parked after insert on inbox.parked
    for each row execute function demo.note_parked();
