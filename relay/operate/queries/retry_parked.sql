update inbox.parked_queues q
set next_attempt_at = clock_timestamp()
where (%(group)s::text is null or q.group_name = %(group)s)
    and (
        %(all)s
        or exists (
            select
            from inbox.parked p
            where p.event_id = any(%(event_ids)s::text[])
                and p.queue = q.queue and p.group_name = q.group_name
        )
    )
