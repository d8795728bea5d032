select
    r.event_id, format('it is at %%s[%%s]@%%s', r.topic, r.partition, r.kafka_offset),
    count(*) over ()
from verify_records r
where not exists (select from outbox.domain_events e where e.id = r.event_id)
order by r.topic, r.partition, r.kafka_offset
limit %(most)s
