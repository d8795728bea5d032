-- Fills prune_batch with the next events. One that is neither published nor discarded, held, not read
-- by every group or not settled in an inbox stays however old it is.
with batch as materialized (
    select e.seq, e.id, outbox.shard_of(e.aggregate_id, %(shards)s) as shard, e.created_at
    from outbox.domain_events e
    where e.seq > %(after)s and e.seq < %(end)s
    order by e.seq
    limit %(rows)s
),
-- Locked, so that nobody has one of them replayed meanwhile.
discarded as materialized (
    select h.seq, h.discarded_at
    from outbox.holds h
    where h.state = 'discarded' and h.seq = any(array(select seq from batch))
    for update
),
judged as (
    insert into prune_batch (seq, id, shard, created_at, reason, topic, partition)
    select
        batch.*,
        case
            when discarded.seq is not null then
                case when discarded.discarded_at >= %(before)s then 'young' end
            when h.seq is not null then h.state
            when not coalesce(delivered.is_original, false) then 'not published'
            when delivered.unread is not null and delivered.unread[3] is null then 'unknown'
            when delivered.unread is not null then 'unread'
            when o.id is not null then o.reason
            when delivered.at >= %(before)s then 'young'
        end,
        delivered.unread[1],
        delivered.unread[2]::integer
    from batch
    left join lateral (
        select
            bool_or(d.copy = 0) as is_original,
            max(d.delivered_at) as at,
            -- Without an offset the record was gone before its place was known.
            min(array[d.topic, d.partition::text, r.below::text])
                filter (where d.kafka_offset >= coalesce(r.below, 0)) as unread
        from outbox.deliveries d
        left join prune_read r on r.topic = d.topic and r.partition = d.partition
        where d.seq = batch.seq
    ) delivered on true
    left join outbox.holds h on h.seq = batch.seq
    left join discarded on discarded.seq = batch.seq
    left join prune_open o on o.id = batch.id
    returning seq, created_at
)
select max(seq) as last, count(*) as rows, coalesce(bool_or(created_at < %(before)s), false) as is_old
from judged
