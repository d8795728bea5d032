with old as materialized (
    select d.group_name, d.event_id
    from inbox.dead_letters d
    where d.state in ('resolved', 'discarded') and not d.unsent
      and d.settled_at < %(before)s
      and d.group_name = any(%(groups)s)
      and not exists (select from outbox.domain_events e where e.id = d.event_id)
),
gone as (
    delete from inbox.dead_letters
    where not %(dry_run)s and (group_name, event_id) in (select * from old)
)
select count(*) from old
