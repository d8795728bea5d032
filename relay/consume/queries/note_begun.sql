insert into inbox.begun as b (group_name, event_id)
values (%(group)s, %(event_id)s)
on conflict (group_name, event_id) do update set times = b.times + 1
returning times
