-- Copies under other major versions that are not where their flags say, or have no flag although
-- their original has one: the two are written at once.
with wrong as (
    select
        e.seq, e.id,
        format('copy %%s is not at %%s[%%s]@%%s', d.copy, d.topic, d.partition, d.kafka_offset) as flaw
    from outbox.deliveries d
    join outbox.domain_events e using (seq)
    join verify_bounds b
        on b.topic = d.topic and b.partition = d.partition
        and d.kafka_offset >= b.low and d.kafka_offset < b.upto
    where d.copy > 0
        and not exists (
            select
            from verify_records r
            where r.topic = d.topic and r.partition = d.partition
                and r.kafka_offset = d.kafka_offset and r.event_id = e.id and r.copy = d.copy
        )
    union all
    select
        e.seq, e.id,
        format('copy %%s at %%s[%%s]@%%s has no flag', r.copy, r.topic, r.partition, r.kafka_offset)
    from verify_records r
    join outbox.domain_events e on e.id = r.event_id
    join outbox.deliveries original on original.seq = e.seq and original.copy = 0
    where r.copy > 0
        and not exists (
            select from outbox.deliveries d where d.seq = e.seq and d.copy = r.copy
        )
)
select id, flaw, count(*) over ()
from wrong
order by seq
limit %(most)s
