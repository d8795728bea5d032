-- Each row of the outbox: where it is (verdict) and what is wrong with its flags (flaw), from one
-- snapshot that was taken after the topics were read.
insert into verify_rows (seq, id, verdict, flaw)
with shard_position as materialized (
    select
        shard,
        (position -> 'position' ->> 'seen')::pg_snapshot as seen,
        (position -> 'position' ->> 'upto')::pg_snapshot as upto,
        (position -> 'position' ->> 'after')::bigint as after
    from outbox.mirrors
),
published as (
    select event_id from verify_records where copy = 0 group by event_id
),
row_state as (
    select
        e.seq, e.id,
        published.event_id is not null as is_published,
        there.event_id is not null as is_where_flagged,
        d.seq is not null as is_flagged,
        d.topic, d.partition, d.kafka_offset,
        h.seq is not null as is_held,
        h.discard_reason is not null as is_discarded,
        coalesce(
            pg_visible_in_snapshot(e.xid, p.seen)
                or pg_visible_in_snapshot(e.xid, p.upto) and e.seq <= p.after,
            false
        ) as is_passed,
        b.low, b.upto, b.top
    from outbox.domain_events e
    left join published on published.event_id = e.id
    left join outbox.deliveries d on d.seq = e.seq and d.copy = 0
    left join verify_bounds b on b.topic = d.topic and b.partition = d.partition
    left join verify_records there
        on there.topic = d.topic and there.partition = d.partition
        and there.kafka_offset = d.kafka_offset and there.event_id = e.id and there.copy = 0
    left join outbox.holds h on h.seq = e.seq
    left join shard_position p
        on p.shard = outbox.shard_of(e.aggregate_id, %(shards)s)
)
select
    seq, id,
    case
        when is_published then 'in_topics'
        -- Delivered, but retention took the record before its place was known.
        when is_flagged and kafka_offset is null then 'expired'
        when is_flagged and kafka_offset < low then 'expired'
        -- Published while the topics were read.
        when is_flagged and kafka_offset >= upto and kafka_offset < top then 'pending'
        when is_flagged then 'lost'
        when is_discarded then 'discarded'
        when is_held then 'held'
        when is_passed then 'lost'
        else 'pending'
    end,
    case
        when is_flagged and is_held then 'it is flagged as delivered and held at once'
        when not is_published or is_where_flagged then null
        when is_flagged then format(
            'its flag says %%s[%%s]@%%s, where it is not', topic, partition,
            coalesce(kafka_offset::text, 'unknown')
        )
        -- Until the position passes a row, the flags of its transaction are still to come.
        when is_passed and not is_held then 'it is published, but has no flag'
    end
from row_state
