select exists (
    select
    from pg_index i
    join pg_attribute a on a.attrelid = i.indrelid and a.attname = 'id'
    where i.indrelid = 'outbox.domain_events'::regclass
        and i.indisunique and i.indisvalid and i.indpred is null
        and i.indnatts = 1 and i.indkey[0] = a.attnum
)
