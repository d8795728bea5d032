-- Events after a higher number of their aggregate, where order is promised: both written by
-- publish (only it ensures a correlation id) or both in one transaction. Not counted are
-- repetitions, and events that a person had tried again after later ones had passed.
--
-- late is cheap and mostly false, and nothing else runs then: is any record after one of a higher
-- number under the same hash?
with late as (
    select exists (
        select
        from (
            select
                sequence,
                max(sequence) over (
                    partition by pg_catalog.hashtextextended(
                        concat_ws(chr(31), topic, partition, aggregate_type, aggregate_id),
                        0::bigint
                    )
                    order by kafka_offset
                    rows between unbounded preceding and 1 preceding
                ) as highest
            from verify_records
            where sequence is not null
        ) as hashed
        where sequence < highest
    ) as is_there
),
numbered as (
    select
        r.event_id, r.topic, r.partition, r.kafka_offset, r.sequence,
        e.xid, e.aggregate_type, e.aggregate_id,
        e.metadata ? 'correlationId' as by_publish,
        row_number() over (partition by r.ce_id order by r.kafka_offset) as occurrence
    from verify_records r
    join outbox.domain_events e on e.id = r.event_id
    where r.sequence is not null and (select is_there from late)
),
compared as (
    select
        *,
        case when by_publish then max(sequence) filter (where by_publish) over aggregate end
            as highest_by_publish,
        case when xid <> '3' then max(sequence) over (
            partition by topic, partition, aggregate_type, aggregate_id, xid
            order by kafka_offset
            rows between unbounded preceding and 1 preceding
        ) end as highest_in_transaction
    from numbered
    where occurrence = 1
    window aggregate as (
        partition by topic, partition, aggregate_type, aggregate_id
        order by kafka_offset
        rows between unbounded preceding and 1 preceding
    )
)
select
    c.event_id,
    format(
        'number %%s of %%s %%s is after number %%s, at %%s[%%s]@%%s', c.sequence,
        c.aggregate_type, c.aggregate_id, greatest(c.highest_by_publish, c.highest_in_transaction),
        c.topic, c.partition, c.kafka_offset
    ),
    count(*) over ()
from compared c
where (c.sequence < c.highest_by_publish or c.sequence < c.highest_in_transaction)
    and not exists (select from outbox.replays r where r.seq = c.sequence)
order by c.sequence
limit %(examples)s
