-- Events that a group has passed by its committed offsets, or that were published after the dump so
-- that it may have, and that its inbox has no trace of.
select count(*)
from outbox.domain_events e
left join outbox.deliveries d on d.seq = e.seq and d.copy = 0
where e.event_type = any (%(types)s)
    and (
        d.seq is null
        or exists (
            select
            from unnest(%(topics)s::text[], %(partitions)s::integer[], %(offsets)s::bigint[])
                as passed (topic, partition, next_offset)
            where passed.topic = d.topic
                and passed.partition = d.partition
                and passed.next_offset > d.kafka_offset
        )
    )
    and not exists (
        select from inbox.processed i where i.group_name = %(group)s and i.event_id = e.id
    )
    and not exists (
        select from inbox.parked i where i.group_name = %(group)s and i.event_id = e.id
    )
    and not exists (
        select from inbox.dead_letters i where i.group_name = %(group)s and i.event_id = e.id
    )
