select
    (select count(*) from demo.written where committed) as written,
    (select count(*) from demo.written where not committed) as rolled_back,
    (select count(*) from outbox.domain_events where metadata ? 'causationId') as by_handlers,
    (select count(*) from outbox.deliveries) as published,
    (
        select percentile_cont(0.5) within group (
            order by extract(epoch from d.delivered_at - w.at) * 1000
        )
        from demo.written w
        join outbox.domain_events e on e.id = w.event_id
        join outbox.deliveries d on d.seq = e.seq and d.copy = 0
    ) as published_ms,
    (
        select percentile_cont(0.5) within group (
            order by extract(epoch from p.processed_at - w.at) * 1000
        )
        from demo.written w
        join inbox.processed p on p.event_id = w.event_id
    ) as consumed_ms,
    (select jsonb_object_agg(g, n) from (
        select group_name as g, count(*) as n from inbox.processed group by 1
    ) as consumed) as consumed,
    (select count(*) from inbox.processed where attempt > 1) as retried,
    (select count(*) from demo.parked) as parked,
    (select count(*) from inbox.dead_letters) as dead,
    (select count(*) from outbox.outcomes where state = 'resolved') as resolved
