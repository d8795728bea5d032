update inbox.dead_letters
set state = 'replayed', settled_at = null
where group_name = %(group)s and event_id = %(event_id)s and attempt = %(attempt)s
    and state = 'dead'
