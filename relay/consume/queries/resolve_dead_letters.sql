update inbox.dead_letters d
set state = 'resolved', attempt = given.attempt, settled_at = clock_timestamp(),
    unsent = true, sending_until = null
from unnest(%(event_ids)s::text[], %(attempts)s::integer[]) as given (event_id, attempt)
where d.group_name = %(group)s and d.event_id = given.event_id and d.attempt < given.attempt
