alter table outbox.schema_versions
    add column logical_digest bytea check (octet_length(logical_digest) = 32);
comment on column outbox.schema_versions.logical_digest is
    'SHA-256 of the Parsing Canonical Form and the logical types, which the fingerprint leaves out';

do $$
begin
    if exists (select from pg_roles where rolname = 'outbox_writer') then
        grant select (logical_digest) on outbox.schema_versions to outbox_writer;
    end if;
end
$$;

-- As the one of three arguments, which stays for publishers that were not deployed again yet, and
-- the schema's logical types are those of the version: a class of another decimal scale has the
-- same fingerprint, and readers would take its amounts for others.
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
