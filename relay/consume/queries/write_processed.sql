insert into inbox.processed (group_name, event_id, attempt)
values (%(group)s, %(event_id)s, %(attempt)s)
on conflict do nothing
