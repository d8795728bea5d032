update inbox.dead_letters
set unsent = false, sending_until = null,
    dlq_partition = %(dlq_partition)s, dlq_offset = %(dlq_offset)s
where group_name = %(group)s and event_id = %(event_id)s and attempt = %(attempt)s
