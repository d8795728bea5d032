-- One row at least, for the server and what the group has subscribed to.
select here.server, here.subscribed, p.place, p.position
from (
    select inbox.server() as server, inbox.subscribed(%(group)s) as subscribed
) as here
left join inbox.positions p on p.group_name = %(group)s and p.place = any(%(places)s::text[])
