-- Records beyond the first of each id, and rows beyond the first of each id; the latter only where
-- no unique index on the id keeps them apart: a partitioned table has none.
with unique_id as (
    select exists (
        select
        from pg_index i
        join pg_attribute a on a.attrelid = i.indrelid and a.attname = 'id'
        where i.indrelid = 'outbox.domain_events'::regclass
            and i.indisunique and i.indisvalid and i.indpred is null
            and i.indnatts = 1 and i.indkey[0] = a.attnum
    ) as is_there
),
surplus as (
    select
        ce_id as id, count(*) - 1 as records, min(kafka_offset) as first_offset,
        'it is at ' || string_agg(
            format('%%s[%%s]@%%s', topic, partition, kafka_offset), ', '
            order by topic, kafka_offset
        ) as problem
    from verify_records
    group by ce_id
    having count(*) > 1
    union all
    select id, count(*) - 1, null, count(*) || ' rows have this id'
    from outbox.domain_events
    where not (select is_there from unique_id)
    group by id
    having count(*) > 1
)
select id, problem, (sum(records) over ())::bigint
from surplus
order by first_offset
limit %(examples)s
