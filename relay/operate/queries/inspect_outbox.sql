-- Facts about the outbox, in one statement, so that rows and snapshot are of one time.
-- foreign_rows: rows whose transaction this database has not begun yet, counted up to 1,000.
-- excess_privileges: "role may verb [column]" of all but the owner. blind_writers: roles, quoted,
-- that may insert events by a grant of their own but not read the versions' states.
with granted as (
    select grantee, privilege_type, null as column_name
    from pg_class, aclexplode(relacl)
    where pg_class.oid = 'outbox.domain_events'::regclass
    union all
    select grantee, privilege_type, attname
    from pg_attribute, aclexplode(attacl)
    where attrelid = 'outbox.domain_events'::regclass
)
select
    pg_is_in_recovery() as standby,
    identity.seqcache as sequence_cache,
    identity.seqincrement as sequence_increment,
    identity.seqcycle as sequence_cycles,
    outbox_table.relpersistence = 'p' as logged,
    array(
        select name
        from pg_settings
        where name in ('fsync', 'full_page_writes') and setting = 'off'
        order by name
    ) as switched_off,
    current_setting('synchronous_commit') as synchronous_commit,
    (
        select count(*)
        from (
            select
            from outbox.domain_events
            where xid >= pg_snapshot_xmax(pg_current_snapshot())
                and xid is distinct from pg_current_xact_id_if_assigned()
            limit 1000
        ) as found
    ) as foreign_rows,
    exists (select from pg_roles where rolname = 'outbox_writer') as writer_role,
    array(
        select distinct
            coalesce(role.rolname, 'public') || ' may ' || lower(granted.privilege_type)
                || coalesce(' ' || granted.column_name, '')
        from granted
        left join pg_roles role on role.oid = granted.grantee
        where granted.grantee <> outbox_table.relowner
            and (
                granted.privilege_type in ('UPDATE', 'DELETE', 'TRUNCATE')
                or granted.privilege_type = 'INSERT'
                and coalesce(granted.column_name in ('xid', 'seq'), true)
            )
        order by 1
    ) as excess_privileges,
    array(
        select distinct quote_ident(coalesce(role.rolname, 'public'))
        from granted
        left join pg_roles role on role.oid = granted.grantee
        where granted.privilege_type = 'INSERT' and granted.grantee <> outbox_table.relowner
            and coalesce(granted.column_name = 'event_type', true)
            and not (
                select bool_and(
                    has_column_privilege(
                        coalesce(role.rolname, 'public'), 'outbox.schema_versions', needed, 'select'
                    )
                )
                from unnest(%(needed)s::text[]) as needed
            )
        order by 1
    ) as blind_writers
from pg_class outbox_table
join pg_sequence identity
    on identity.seqrelid = pg_get_serial_sequence('outbox.domain_events', 'seq')::regclass
where outbox_table.oid = 'outbox.domain_events'::regclass
