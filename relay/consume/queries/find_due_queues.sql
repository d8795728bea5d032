select queue
from inbox.parked
where group_name = %(group)s and next_attempt_at <= clock_timestamp()
order by next_attempt_at
limit 100
