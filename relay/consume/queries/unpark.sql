delete from inbox.parked
where group_name = %(group)s and event_id = %(event_id)s and attempts = %(attempts)s
