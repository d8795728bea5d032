-- The indexes of events and deliveries, each with the constraint that it belongs to.
select
    i.indexrelid::regclass::text, i.indrelid::regclass::text, k.conname,
    coalesce(pg_get_constraintdef(k.oid), pg_get_indexdef(i.indexrelid))
from pg_index i
left join pg_constraint k on k.conindid = i.indexrelid
where i.indrelid in ('outbox.domain_events'::regclass, 'outbox.deliveries'::regclass)
