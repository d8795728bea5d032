select
    exists (
        select from inbox.processed
        where group_name = %(group)s and event_id = %(event_id)s
    )
    or exists (
        select from inbox.dead_letters
        where group_name = %(group)s and event_id = %(event_id)s
    )
