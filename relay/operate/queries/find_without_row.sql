select
    r.event_id, format('it is at %%s[%%s]@%%s', r.topic, r.partition, r.kafka_offset),
    count(*) over ()
from verify_records r
where not exists (select from outbox.domain_events e where e.id = r.event_id)
    and not exists (
        select from outbox.pruned p where r.sequence between p.from_seq and p.to_seq
    )
order by r.topic, r.partition, r.kafka_offset
limit %(examples)s
