insert into inbox.parked (
    group_name, event_id, queue, event_type, topic, partition, kafka_offset, key, value,
    header_names, header_values, attempts, first_failed_at, next_attempt_at
)
select
    %(group)s, %(event_id)s, inbox.queue(%(group)s, %(topic)s, %(key)s), %(event_type)s, %(topic)s,
    %(partition)s, %(offset)s, %(key)s, %(value)s, %(header_names)s, %(header_values)s::bytea[],
    greatest(%(attempts)s, d.attempt), d.first_failed_at, null
from (select) as always
left join inbox.dead_letters d on d.group_name = %(group)s and d.event_id = %(event_id)s
where coalesce(d.state in ('dead', 'replayed'), true)
    and not exists (
        select from inbox.processed p
        where p.group_name = %(group)s and p.event_id = %(event_id)s
    )
on conflict (group_name, event_id) do nothing
returning queue
