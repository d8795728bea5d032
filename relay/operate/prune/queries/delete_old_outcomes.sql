-- The reconciler may have written them after their event was pruned.
with old as materialized (
    select o.event_id, o.group_name
    from outbox.outcomes o
    where o.at < %(before)s
      and not exists (select from outbox.domain_events e where e.id = o.event_id)
),
gone as (
    delete from outbox.outcomes
    where not %(dry_run)s and (event_id, group_name) in (select * from old)
)
select count(*) from old
