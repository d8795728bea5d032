select q.queue, inbox.server(), pg_try_advisory_xact_lock(q.queue)
from (select inbox.queue(%(group)s, %(topic)s, %(key)s) as queue offset 0) as q
