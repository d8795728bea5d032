-- Returns the places whose previous owner did not release them.
with last as (
    select place from inbox.assigned
    where group_name = %(group)s and place = any(%(places)s::text[]) and member <> %(member)s
),
taken as (
    insert into inbox.assigned (group_name, place, member)
    select %(group)s, given.place, %(member)s
    from unnest(%(places)s::text[]) as given (place)
    order by given.place
    on conflict (group_name, place) do update set member = excluded.member
)
select place from last
