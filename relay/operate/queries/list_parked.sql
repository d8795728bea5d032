with chosen as (
    -- Without ids: the keys that are tried next, each by its first event.
    (
        select q.queue, q.group_name, q.next_attempt_at, null as event_id
        from inbox.parked_queues q
        where cardinality(%(event_ids)s::text[]) = 0
            and (%(group)s::text is null or q.group_name = %(group)s)
        order by q.next_attempt_at, q.queue
        limit %(limit)s
    )
    union all
    select q.queue, q.group_name, q.next_attempt_at, p.event_id
    from inbox.parked p
    join inbox.parked_queues q on q.queue = p.queue and q.group_name = p.group_name
    where p.event_id = any(%(event_ids)s::text[])
        and (%(group)s::text is null or p.group_name = %(group)s)
)
select
    p.group_name, p.event_id, p.event_type, p.topic, p.key,
    p.event_id = first.event_id as is_first, counted.events - 1 as waiting, p.attempts, p.error,
    p.first_failed_at, p.parked_at, q.next_attempt_at
from chosen q
cross join lateral (
    select f.event_id
    from inbox.parked f
    where f.queue = q.queue and f.group_name = q.group_name
    order by f.sequence, f.arrival
    limit 1
) as first
join inbox.parked p
    on p.group_name = q.group_name and p.event_id = coalesce(q.event_id, first.event_id)
cross join lateral (
    select count(*) as events
    from (
        select
        from inbox.parked w
        where w.queue = q.queue and w.group_name = q.group_name
        limit %(most_counted)s + 1
    ) as limited
) as counted
order by q.next_attempt_at, q.queue, p.sequence, p.arrival
