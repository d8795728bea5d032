with chosen as materialized (
    -- In the order in which everyone locks dead letters, or two would wait for each other.
    select d.event_id, given.attempt
    from inbox.dead_letters d
    join unnest(%(event_ids)s::text[], %(attempts)s::integer[]) as given (event_id, attempt)
        on given.event_id = d.event_id
    where d.group_name = %(group)s and d.attempt < given.attempt
    order by d.event_id collate "C"
    for update of d
)
update inbox.dead_letters d
set state = 'resolved', attempt = chosen.attempt, settled_at = clock_timestamp(),
    unsent = true, sending_until = null
from chosen
where d.group_name = %(group)s and d.event_id = chosen.event_id
