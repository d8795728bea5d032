select inbox.unpark(
    %(group)s, %(queues)s::bigint[], %(event_ids)s::text[], %(attempts)s::integer[]
)
