update inbox.dead_letters
set state = 'resolved', attempt = %(attempt)s, settled_at = clock_timestamp(),
    unsent = true, sending_until = null
where group_name = %(group)s and event_id = %(event_id)s and attempt < %(attempt)s
