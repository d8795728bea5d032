update inbox.dead_letters
set state = 'dead', settled_at = null, discard_reason = null
where group_name = %(group)s and event_id = %(event_id)s and state = 'discarded'
