select coalesce(last_value, 0)
from pg_sequences
where schemaname = 'outbox' and sequencename = 'domain_events_seq_seq'
