select inbox.server(), pg_try_advisory_xact_lock(inbox.queue(%(group)s, %(topic)s, %(key)s))
