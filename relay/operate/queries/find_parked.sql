select
    p.group_name, p.event_id, p.event_type, p.topic, p.key,
    p.event_id = first.event_id as is_first, counted.events - 1 as waiting, p.attempts, p.error,
    p.first_failed_at, p.parked_at, q.next_attempt_at
from inbox.parked p
join inbox.parked_queues q on q.queue = p.queue and q.group_name = p.group_name
cross join lateral (
    select f.event_id
    from inbox.parked f
    where f.queue = q.queue and f.group_name = q.group_name
    order by f.sequence, f.arrival
    limit 1
) as first
cross join lateral (
    select count(*) as events
    from (
        select
        from inbox.parked w
        where w.queue = q.queue and w.group_name = q.group_name
        limit %(most_counted)s + 1
    ) as limited
) as counted
where p.event_id = any(%(event_ids)s::text[])
    and (%(group)s::text is null or p.group_name = %(group)s)
order by p.group_name, p.sequence, p.arrival
limit %(limit)s
