-- In the order of the table's blocks: that needs no index, which every handled event would pay for.
with old as materialized (
    select p.group_name, p.event_id
    from inbox.processed p
    where p.ctid >= %(from)s::tid and p.ctid < %(to)s::tid
      and p.processed_at < %(before)s
      and p.group_name = any(%(groups)s)
      and not exists (select from outbox.domain_events e where e.id = p.event_id)
),
gone as (
    delete from inbox.processed
    where not %(dry_run)s and (group_name, event_id) in (select * from old)
)
select count(*) from old
