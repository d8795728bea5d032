insert into outbox.domain_events (
    seq, xid, id, event_type, schema_version, aggregate_type, aggregate_id, payload, metadata
)
overriding system value
select
    %(start)s + n, '3', 'grown' || n, 'order.placed', 1, 'order',
    'order-' || lpad((n %% %(aggregates)s)::text, 6, '0'),
    jsonb_build_object(
        'customerId', 'customer-' || n %% 100003, 'channel', 'WEB', 'total', '12.50',
        'currency', 'EUR', 'placedAt', '2026-03-01T12:00:00.000Z'
    ),
    jsonb_build_object('correlationId', 'grown' || n / 5)
from generate_series(%(first)s::bigint, %(last)s::bigint) as n
