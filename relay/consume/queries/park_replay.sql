with given as (
    select
        inbox.queue(%(group)s, %(topic)s, %(key)s) as queue,
        greatest(%(attempts)s, d.attempt) as attempts, d.first_failed_at
    from (select) as always
    left join inbox.dead_letters d on d.group_name = %(group)s and d.event_id = %(event_id)s
    where coalesce(d.state in ('dead', 'replayed'), true)
        and not exists (
            select from inbox.processed p
            where p.group_name = %(group)s and p.event_id = %(event_id)s
        )
        and not exists (
            select from inbox.parked p
            where p.group_name = %(group)s and p.event_id = %(event_id)s
        )
),
queues as (
    insert into inbox.parked_queues (queue, group_name, next_attempt_at)
    select queue, %(group)s, clock_timestamp() from given
    on conflict do nothing
)
insert into inbox.parked (
    group_name, event_id, queue, sequence, event_type, topic, partition, kafka_offset, key, value,
    header_names, header_values, attempts, first_failed_at
)
select
    %(group)s, %(event_id)s, given.queue,
    -- Without a number: before all others, by its place in the topic.
    coalesce(%(sequence)s::bigint, %(offset)s::bigint - 4611686018427387904),
    %(event_type)s, %(topic)s, %(partition)s, %(offset)s, %(key)s, %(value)s, %(header_names)s,
    %(header_values)s::bytea[], given.attempts, given.first_failed_at
from given
returning queue, sequence, arrival
