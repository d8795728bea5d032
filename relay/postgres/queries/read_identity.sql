-- The timeline comes from the WAL file's name: the control file has the new one only after the first
-- checkpoint after a promotion.
select
    (select system_identifier::text from pg_control_system()),
    (select oid::bigint from pg_database where datname = current_database()),
    ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::bigint,
    pg_postmaster_start_time()::text
