-- The lowest number among the fresh rows, through the index on (xid, seq): a plain min(seq) makes
-- the planner walk the whole index on seq.
with fresh as materialized (
    select f.seq
    from outbox.domain_events f
    where (f.xid = any(%(in_progress)s::xid8[]) or f.xid >= %(xmax)s::xid8)
      and pg_visible_in_snapshot(f.xid, %(upto)s::pg_snapshot)
)
select min(seq) from fresh
