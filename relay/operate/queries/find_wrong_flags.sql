-- Rows with a flaw, and copies under other major versions that are not where their flags point, do
-- not come before their original in its partition, or have no flag although their flagged original
-- announces them.
with unflagged as materialized (
    select e.seq, e.id, r.topic, r.partition, r.kafka_offset, r.aggregate_id, announced.copy
    from verify_records r
    cross join unnest(r.copies) as announced (copy)
    join outbox.domain_events e on e.id = r.event_id
    join outbox.deliveries original
        on original.seq = e.seq and original.copy = 0 and original.topic = r.topic
        and original.partition = r.partition and original.kafka_offset = r.kafka_offset
    where r.copy = 0
        and not exists (
            select from outbox.deliveries d where d.seq = e.seq and d.copy = announced.copy
        )
),
wrong as (
    select seq, id, flaw
    from verify_rows
    where flaw is not null
    union all
    select
        e.seq, e.id,
        format(
            case when r.event_id is null
                then 'copy %%s is not at %%s[%%s]@%%s'
                else 'copy %%s at %%s[%%s]@%%s does not come before its original'
            end,
            d.copy, d.topic, d.partition, d.kafka_offset
        )
    from outbox.deliveries d
    join outbox.domain_events e using (seq)
    join verify_bounds b
        on b.topic = d.topic and b.partition = d.partition and d.kafka_offset >= b.low
        -- What lies between the two was published while the topics were read.
        and (d.kafka_offset < b.upto or d.kafka_offset >= b.top)
    left join outbox.deliveries original on original.seq = d.seq and original.copy = 0
    left join verify_records r
        on r.topic = d.topic and r.partition = d.partition and r.kafka_offset = d.kafka_offset
        and r.event_id = e.id and r.copy = d.copy
    where d.copy > 0
        and (
            r.event_id is null
            or (d.topic, d.partition) <> (original.topic, original.partition)
            or d.kafka_offset > original.kafka_offset
        )
    union all
    select
        u.seq, u.id,
        format(
            'copy %%s, which %%s[%%s]@%%s announces, has no flag', u.copy, u.topic, u.partition,
            u.kafka_offset
        )
    from unflagged u
    join verify_bounds b using (topic, partition)
    -- Not where retention may have taken the copy before its place was known.
    where b.low = 0
        or exists (
            select
            from verify_records r
            where r.topic = u.topic and r.partition = u.partition
                and r.kafka_offset < u.kafka_offset
                and r.aggregate_id = u.aggregate_id
                and (r.event_id <> u.id or r.copy = u.copy)
        )
)
select id, flaw, count(*) over ()
from wrong
order by seq
limit %(examples)s
