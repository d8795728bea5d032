delete from inbox.begun where group_name = %(group)s and event_id = %(event_id)s
