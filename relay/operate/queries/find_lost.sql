select
    lost.id,
    case
        when d.seq is null then 'the relay''s position has passed it, but it was never published'
        when not exists (select from verify_bounds b where b.topic = d.topic)
            then format('it was published to topic %%s, which does not exist', d.topic)
        else format('it is not at %%s[%%s]@%%s', d.topic, d.partition, d.kafka_offset)
    end,
    count(*) over ()
from verify_rows lost
left join outbox.deliveries d on d.seq = lost.seq and d.copy = 0
where lost.verdict = 'lost'
order by lost.seq
limit %(examples)s
