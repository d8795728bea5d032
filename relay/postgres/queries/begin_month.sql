-- Moves the sequence up to a month's range, once. Under the lock of partitions.py: two moves to one
-- number would give out numbers twice.
select setval(pg_get_serial_sequence('outbox.domain_events', 'seq')::regclass, %(start)s)
from pg_sequences
where schemaname = 'outbox' and sequencename = 'domain_events_seq_seq'
  and coalesce(last_value, 0) < %(start)s
