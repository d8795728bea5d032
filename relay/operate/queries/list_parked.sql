select
    q.group_name, first.event_id, first.event_type, first.topic, first.key, true as is_first,
    counted.events - 1 as waiting, first.attempts, first.error, first.first_failed_at,
    first.parked_at, q.next_attempt_at
from inbox.parked_queues q
cross join lateral (
    select *
    from inbox.parked p
    where p.queue = q.queue and p.group_name = q.group_name
    order by p.sequence, p.arrival
    limit 1
) as first
cross join lateral (
    select count(*) as events
    from (
        select
        from inbox.parked p
        where p.queue = q.queue and p.group_name = q.group_name
        limit %(most_counted)s + 1
    ) as limited
) as counted
where %(group)s::text is null or q.group_name = %(group)s
order by q.next_attempt_at, q.queue
limit %(limit)s
