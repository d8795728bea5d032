-- Whether events may be written under a version with this schema: it is in use, or the review has
-- not begun. It has once any version is known, so that an event type that comes later has to be
-- decided about; only then, and only for such an event type, the table is looked at a second time.
create or replace function outbox.may_publish(event_type text, version integer, fingerprint bytea)
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
            not exists (select from outbox.schema_versions)
        )
        from outbox.schema_versions v
        where v.event_type = may_publish.event_type
    );
end
$$;

comment on column outbox.schema_versions.adopted is
    'Was in use before it was reviewed: taken over when the review began, or by a person';

-- As before, and an event type that nobody has decided about is refused once the review has begun.
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
    if known = 0 and exists (select from outbox.schema_versions) then
        raise exception 'outbox.publish: nobody has decided about event type %', event_type
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'Propose it: relay schemas propose. '
                    || 'What was in use before it came here: relay schemas adopt';
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
