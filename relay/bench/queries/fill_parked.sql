with queues as (
    insert into inbox.parked_queues (queue, group_name, next_attempt_at)
    select inbox.queue(%(group)s, %(topic)s, convert_to('order-' || k, 'UTF8')), %(group)s, now()
    from generate_series(0, %(keys)s - 1) as k
)
insert into inbox.parked (
    group_name, event_id, queue, sequence, event_type, topic, partition, kafka_offset, key, value,
    header_names, header_values
)
select
    %(group)s, 'b' || n, inbox.queue(%(group)s, %(topic)s, k.key), n, 'order.placed', %(topic)s, 0,
    n, k.key, %(value)s, %(names)s, %(values)s::bytea[]
from generate_series(1, %(count)s) as n
cross join lateral (select convert_to('order-' || n %% %(keys)s, 'UTF8') as key) as k
