select inbox.enter(
    %(group)s, %(topics)s::text[], %(keys)s::bytea[], %(event_ids)s::text[], %(attempts)s::integer[],
    %(idle_timeout_ms)s, %(statement_timeout_ms)s
)
