select
    (select count(*) from demo.written where committed) as handed_in,
    (select count(*) from shop.orders) as orders,
    (select count(*) from outbox.domain_events) as events,
    (select count(*) from outbox.deliveries) as published,
    (select count(*) from inbox.parked) as parked,
    (select count(*) from inbox.dead_letters where state in ('dead', 'replayed')) as dead_letters,
    (select count(*) from outbox.outcomes where state = 'dead') as dead,
    (select count(*) from outbox.outcomes where state = 'resolved') as resolved,
    (
        select jsonb_object_agg(wanted.group_name, jsonb_build_object(
            'wanted', (
                select count(*) from outbox.domain_events e
                where e.event_type = any(wanted.event_types)
            ),
            'consumed', (
                select count(*) from inbox.processed p where p.group_name = wanted.group_name
            )
        ))
        from (
            select group_name, array_agg(event_type) as event_types
            from unnest(%(groups)s::text[], %(event_types)s::text[]) as w (group_name, event_type)
            group by group_name
        ) as wanted
    ) as groups
