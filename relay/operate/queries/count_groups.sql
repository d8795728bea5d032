-- Parked and dead events of each group.
select
    g.name,
    (select count(*) from inbox.parked p where p.group_name = g.name),
    (select count(*) from outbox.open_dead_letters d where d.group_name = g.name)
from unnest(%(groups)s::text[]) as g (name)
