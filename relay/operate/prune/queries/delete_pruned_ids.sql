with gone as (
    delete from outbox.pruned_ids
    where not %(dry_run)s and run in (select run from outbox.pruned where at < %(before)s)
    returning run
)
select count(*) from gone
