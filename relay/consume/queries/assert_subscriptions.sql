-- Also forgets what no member has a handler for any more.
with forgotten as (
    delete from inbox.subscriptions
    where group_name = %(group)s
        and event_type <> all(%(event_types)s::text[])
        and asserted_at < clock_timestamp() - %(forget_after)s::interval
)
insert into inbox.subscriptions (group_name, event_type)
select %(group)s, given.event_type
from unnest(%(event_types)s::text[]) as given (event_type)
order by given.event_type
on conflict (group_name, event_type) do update set asserted_at = excluded.asserted_at
