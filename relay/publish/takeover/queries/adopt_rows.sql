-- 3 is the first id of normal transactions: visible to every snapshot but the empty one.
-- One statement, so that the rows and the snapshot they are held against belong together.
update outbox.domain_events
set xid = '3'
where xid <> '3'
    and xid is distinct from pg_current_xact_id_if_assigned()
    and (%(every)s or xid >= pg_snapshot_xmax(pg_current_snapshot()))
