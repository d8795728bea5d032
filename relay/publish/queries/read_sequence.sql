-- A sequence cache, which each session draws in advance, would put an aggregate's events out of order.
select seqcache, seqincrement
from pg_sequence
where seqrelid = pg_get_serial_sequence('outbox.domain_events', 'seq')::regclass
