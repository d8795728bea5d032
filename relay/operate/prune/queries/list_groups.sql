-- The groups with an inbox, each found by one step through the index.
with recursive found as (
    (select group_name from inbox.processed order by group_name limit 1)
    union all
    select (
        select p.group_name from inbox.processed p
        where p.group_name > found.group_name
        order by p.group_name
        limit 1
    )
    from found
    where found.group_name is not null
)
select group_name from found where group_name is not null
union
select distinct group_name from inbox.dead_letters
order by 1
