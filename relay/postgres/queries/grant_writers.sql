-- The role of services that publish: it may insert all columns of an event except xid and seq, and
-- read, change or delete no event. Roles belong to the server and not to the database, so this runs
-- with every `relay migrate`: the role may have been created later, or the database restored
-- elsewhere.
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
    if exists (select from pg_roles where rolname = 'outbox_writer')
        and not has_column_privilege(
            'outbox_writer', 'outbox.schema_versions', 'aggregate_type', 'select'
        )
    then
        grant usage on schema outbox to outbox_writer;
        grant insert (
            id, event_type, schema_version, aggregate_type, aggregate_id, payload, metadata,
            occurred_at, created_at, fingerprint, avro
        ) on outbox.domain_events to outbox_writer;
        grant select (
            event_type, aggregate_type, version, subject, fingerprint, logical_digest, state
        ) on outbox.schema_versions to outbox_writer;
    end if;
end
$$;
