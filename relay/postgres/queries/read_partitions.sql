-- Year and month of each partition of the outbox's events.
select substr(c.relname, 15, 4)::integer, substr(c.relname, 20, 2)::integer
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'outbox.domain_events'::regclass
  and c.relname ~ '^domain_events_\d{4}_\d{2}$'
