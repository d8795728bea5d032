update inbox.parked_queues
set next_attempt_at = clock_timestamp()
where queue = %(queue)s and group_name = %(group)s
