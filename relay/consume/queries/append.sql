insert into inbox.parked (
    group_name, event_id, queue, sequence, event_type, topic, partition, kafka_offset, key, value,
    header_names, header_values, attempts, round_attempts
)
select
    %(group)s, %(event_id)s, q.queue,
    -- After all that wait there.
    greatest(
        coalesce(%(sequence)s::bigint, 0),
        (
            select p.sequence from inbox.parked p
            where p.queue = q.queue and p.group_name = %(group)s
            order by p.sequence desc, p.arrival desc
            limit 1
        )
    ),
    %(event_type)s, %(topic)s, %(partition)s, %(offset)s, %(key)s, %(value)s, %(header_names)s,
    %(header_values)s::bytea[], 0, 0
from (select inbox.queue(%(group)s, %(topic)s, %(key)s) as queue offset 0) as q
on conflict (group_name, event_id) do nothing
