-- The migrations grant these where the role is there by then; here, where it was created later, as
-- after a restore into another server, or because who migrates may not create roles.
do $$
begin
    if exists (select from pg_roles where rolname = 'outbox_writer')
        and not has_column_privilege('outbox_writer', 'outbox.domain_events', 'payload', 'insert')
    then
        grant usage on schema outbox to outbox_writer;
        grant select on outbox.domain_events to outbox_writer;
        grant insert (
            id, event_type, schema_version, aggregate_type, aggregate_id, payload, metadata,
            occurred_at, created_at, fingerprint, avro
        ) on outbox.domain_events to outbox_writer;
        grant select (event_type, version, subject, fingerprint, logical_digest, state)
            on outbox.schema_versions to outbox_writer;
    end if;
end
$$
