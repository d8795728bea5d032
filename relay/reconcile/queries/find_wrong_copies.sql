-- Copies under further major subjects that are not where their flags say.
select
    e.id, format('copy %%s is not at %%s[%%s]@%%s', d.copy, d.topic, d.partition, d.kafka_offset),
    count(*) over ()
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
            and r.kafka_offset = d.kafka_offset and r.event_id = e.id
    )
order by d.seq
limit %(most)s
