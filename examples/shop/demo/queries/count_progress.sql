select
    (select count(*) from shop.orders) as orders,
    (select count(*) from outbox.deliveries) as published,
    (select count(*) from inbox.parked) as parked,
    (select count(*) from inbox.dead_letters where state in ('dead', 'replayed')) as dead_letters,
    (select count(*) from outbox.outcomes where state = 'dead') as dead,
    (select count(*) from outbox.outcomes where state = 'resolved') as resolved,
    (
        select jsonb_object_agg(event_type, n)
        from (select event_type, count(*) as n from outbox.domain_events group by 1) as of_type
    ) as written,
    (
        select jsonb_object_agg(group_name, n)
        from (select group_name, count(*) as n from inbox.processed group by 1) as of_group
    ) as consumed
