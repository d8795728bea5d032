-- What the groups did, held against the shop's own tables: every number is to be zero.
with paid as (
    select order_id, amount from shop.payments where state = 'captured'
),
audited as (
    select event_id from shop.order_events
    union all select event_id from shop.payment_events
    union all select event_id from shop.price_agreement_events
    union all select event_id from shop.legacy_sync_events
    union all select event_id from shop.shipment_events
),
entries as (
    select
        e.seq,
        t.position,
        lag(e.seq) over (partition by e.aggregate_type, e.aggregate_id order by t.position)
            as seq_before
    from timeline.entries t
    join outbox.domain_events e on e.id = t.event_id
)
select
    (
        select count(*) from paid
        where (select count(*) from fulfillment.fulfillments f where f.order_id = paid.order_id) <> 1
    ) as "paid orders without exactly one fulfillment",
    (
        select count(*) from paid
        where (select count(*) from fulfillment.shipments s where s.order_id = paid.order_id) <> 1
    ) as "paid orders without exactly one shipment draft",
    (
        select count(*) from paid
        where (
            select count(*) from billing.invoices i
            where i.order_id = paid.order_id and i.gross_amount = paid.amount
        ) <> 1
    ) as "paid orders without exactly one invoice of the amount paid",
    (
        select count(*) from fulfillment.fulfillments f
        where not exists (select from paid where paid.order_id = f.order_id)
    ) + (
        select count(*) from billing.invoices i
        where not exists (select from paid where paid.order_id = i.order_id)
    ) as "fulfillments or invoices of orders that nobody paid",
    (
        select max(number) - (select count(*) from billing.invoices) from billing.last_number
    ) as "numbers missing among the invoices",
    (
        select count(*) from outbox.domain_events e
        where e.metadata->>'causationId' is null
            and not exists (select from audited where audited.event_id = e.id)
    ) + (
        select count(*) from audited
        where not exists (select from outbox.domain_events e where e.id = audited.event_id)
    ) as "events and audit rows that do not match",
    (
        select count(*) from outbox.domain_events e
        where e.event_type = any(%(timeline)s)
            and not exists (select from timeline.entries t where t.event_id = e.id)
    ) as "events that the timeline misses",
    (select count(*) from entries where seq < seq_before) as "timeline entries out of order"
