-- One row at least, for the server.
select here.server, p.place, p.position
from (select inbox.server() as server) as here
left join inbox.positions p on p.group_name = %(group)s and p.place = any(%(places)s::text[])
