-- What inbox and outcomes record of an event in the consumer groups: one row a group. The inbox is
-- written with the handler's effects; outcomes come later, and from other databases too.
with recursive groups as (
    -- One step through the index for each group: it begins with the group's name.
    (select group_name from inbox.processed order by group_name limit 1)
    union all
    select (
        select p.group_name from inbox.processed p
        where p.group_name > groups.group_name
        order by p.group_name
        limit 1
    )
    from groups
    where groups.group_name is not null
),
traced as (
    select p.group_name
    from groups
    join inbox.processed p on p.group_name = groups.group_name and p.event_id = %(event_id)s
    union select group_name from inbox.parked where event_id = %(event_id)s
    union select group_name from inbox.dead_letters where event_id = %(event_id)s
    union select group_name from outbox.outcomes where event_id = %(event_id)s
)
select
    t.group_name as group,
    case
        when k.event_id is not null then 'parked'
        when l.state = 'resolved' then 'resolved'
        when p.event_id is not null and l.state is null and o.state is null then 'processed'
        when p.event_id is not null then 'resolved'
        when l.state = 'replayed' then 'waiting'
        when l.state is not null then 'dead'
        else o.state
    end as state,
    coalesce(
        k.attempts,
        greatest(
            l.attempt, o.attempt,
            case when l.state is distinct from 'resolved' then p.attempt end
        )
    ) as attempts,
    coalesce(k.error, l.error, o.error) as error,
    case when coalesce(o.dlq_offset, l.dlq_offset) is not null then json_build_object(
        'topic', coalesce(o.dlq_topic, l.dlq_topic),
        'partition', coalesce(o.dlq_partition, l.dlq_partition),
        'offset', coalesce(o.dlq_offset, l.dlq_offset)
    ) end as dlq
from traced t
left join inbox.processed p on p.group_name = t.group_name and p.event_id = %(event_id)s
left join inbox.parked k on k.group_name = t.group_name and k.event_id = %(event_id)s
left join inbox.dead_letters l on l.group_name = t.group_name and l.event_id = %(event_id)s
left join outbox.outcomes o on o.group_name = t.group_name and o.event_id = %(event_id)s
