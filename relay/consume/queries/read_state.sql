select state
from inbox.states(
    %(group)s, array[inbox.queue(%(group)s, %(topic)s, %(key)s)], array[%(event_id)s]::text[]
)
