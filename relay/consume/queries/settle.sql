select inbox.settle(
    %(group)s, %(event_ids)s::text[], %(attempts)s::integer[], %(transaction_id)s::xid8
)
