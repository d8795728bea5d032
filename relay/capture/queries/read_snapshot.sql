-- One statement, so that the positions in the log belong to the snapshot.
select
    pg_current_snapshot()::text,
    (pg_current_wal_insert_lsn() - '0/0')::bigint,
    (pg_current_wal_flush_lsn() - '0/0')::bigint
