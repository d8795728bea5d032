update inbox.dead_letters d
set state = 'discarded', settled_at = clock_timestamp(), discard_reason = %(reason)s
where d.group_name = %(group)s and d.event_id = %(event_id)s and d.state in ('dead', 'replayed')
    and not exists (
        select from inbox.parked p
        where p.group_name = d.group_name and p.event_id = d.event_id
    )
