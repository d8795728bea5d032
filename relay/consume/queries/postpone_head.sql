with head as (
    update inbox.parked
    set attempts = %(attempts)s,
        round_attempts = %(round_attempts)s,
        error = %(error)s,
        first_failed_at = coalesce(first_failed_at, %(failed_at)s)
    where group_name = %(group)s and event_id = %(event_id)s and attempts = %(attempts)s - 1
    returning queue
)
update inbox.parked_queues q
set next_attempt_at = clock_timestamp() + %(pause)s::interval, failures = q.failures + 1
from head
where q.queue = head.queue and q.group_name = %(group)s
