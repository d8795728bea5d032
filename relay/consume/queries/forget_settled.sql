delete from inbox.begun b
where b.group_name = %(group)s
    and exists (
        select from inbox.processed p
        where p.group_name = b.group_name and p.event_id = b.event_id
    )
