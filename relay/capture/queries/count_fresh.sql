-- Whether what committed between two snapshots fits a page.
select count(*)
from (
    select
    from outbox.domain_events f
    where (f.xid = any(%(in_progress)s::xid8[]) or f.xid >= %(xmax)s::xid8)
      and pg_visible_in_snapshot(f.xid, %(upto)s::pg_snapshot)
    limit %(rows)s + 1
) as page
