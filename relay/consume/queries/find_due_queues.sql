select queue, failures
from inbox.parked_queues
where group_name = %(group)s and next_attempt_at <= clock_timestamp()
order by next_attempt_at
limit 1000
