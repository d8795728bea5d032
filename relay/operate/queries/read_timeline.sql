-- Picks the page's numbers first, each branch by an index, and looks up what became of them after.
with correlations as materialized (
    select distinct metadata ->> 'correlationId' as id
    from outbox.domain_events
    where %(related)s and aggregate_type = %(aggregate_type)s and aggregate_id = %(aggregate_id)s
        and metadata ->> 'correlationId' is not null
),
page as materialized (
    (
        select seq
        from outbox.domain_events
        where aggregate_type = %(aggregate_type)s and aggregate_id = %(aggregate_id)s
            and seq > %(after)s
        order by seq
        limit %(rows)s
    )
    union
    (
        select related.seq
        from correlations
        -- Each correlation by the index, whatever the planner thinks of their number.
        cross join lateral (
            select event.seq
            from outbox.domain_events event
            where pg_catalog.hashtextextended(event.metadata ->> 'correlationId', 0::bigint)
                    = pg_catalog.hashtextextended(correlations.id, 0::bigint)
                and event.metadata ->> 'correlationId' = correlations.id
                and event.seq > %(after)s
            order by event.seq
            limit %(rows)s
        ) as related
        order by related.seq
        limit %(rows)s
    )
    order by seq
    limit %(rows)s
)
select
    status.seq, status.id, status.event_type, status.schema_version,
    status.aggregate_type, status.aggregate_id, status.payload, status.metadata,
    status.occurred_at, status.created_at, status.topic, status.partition, status.kafka_offset,
    status.delivered_at, status.delivery_attempts, status.dead_letter, status.last_error,
    status.delivery_state, status.discard_reason, status.discarded_at
from page
join outbox.domain_event_status status on status.seq = page.seq
order by status.seq
