-- Ends sessions whose transaction, which writes flags and locks shards, is open for too long: their
-- worker is frozen, or its machine is lost. No timeout of the server ends a COPY that waits for its
-- client. A worker that is alive writes its flags again.
select pg_terminate_backend(pid)
from pg_stat_activity
where datname = current_database() and usename = current_user
  and application_name = 'relay deliveries'
  and xact_start < clock_timestamp() - make_interval(secs => %(seconds)s)
