select *
from inbox.claim(
    %(group)s, %(queues)s::bigint[], %(sequences)s::bigint[], %(arrivals)s::bigint[],
    %(inserts)s::integer[], %(server)s, %(most)s, %(idle_timeout_ms)s, %(statement_timeout_ms)s
)
