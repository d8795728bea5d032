delete from inbox.assigned
where group_name = %(group)s and place = any(%(places)s::text[]) and member = %(member)s
