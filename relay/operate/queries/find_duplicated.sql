-- Records beyond the first of each id.
with twice as (
    select
        ce_id, count(*) - 1 as more,
        min(kafka_offset) as first_offset,
        string_agg(
            format('%%s[%%s]@%%s', topic, partition, kafka_offset), ', ' order by topic, kafka_offset
        ) as places
    from verify_records
    group by ce_id
    having count(*) > 1
)
select ce_id, more, places, (sum(more) over ())::bigint
from twice
order by first_offset
limit %(most)s
