-- Parked and dead events of each group. An outcome counts for groups whose inbox is elsewhere.
select
    g.name,
    (select count(*) from inbox.parked p where p.group_name = g.name),
    (
        select count(*)
        from (
            select event_id from inbox.dead_letters
            where group_name = g.name and state in ('dead', 'replayed')
            union
            select o.event_id from outbox.outcomes o
            where o.group_name = g.name and o.state = 'dead'
                and not exists (
                    select from inbox.dead_letters l
                    where l.group_name = o.group_name and l.event_id = o.event_id
                )
        ) as dead
    )
from unnest(%(groups)s::text[]) as g (name)
