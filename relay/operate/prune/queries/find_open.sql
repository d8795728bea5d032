insert into prune_open (id, reason)
select event_id, min(reason)
from (
    select event_id, 'parked in group ' || group_name as reason
    from inbox.parked
    union all
    select event_id, 'with an open dead letter of group ' || group_name
    from inbox.dead_letters
    where state in ('dead', 'replayed') or unsent
) as found
group by event_id
