select count(*)
from outbox.domain_events
where xid <> '3' and (%(every)s or xid >= pg_snapshot_xmax(pg_current_snapshot()))
