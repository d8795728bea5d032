with completed as (
    update shop.legacy_syncs set state = 'completed' where id = %(id)s and entity_ids = %(orders)s
    returning id, cardinality(entity_ids) as entities, started_at
), published as materialized (
    select id as sync_id, outbox.publish(
        'LegacySyncCompleted', 'legacy_sync', id,
        jsonb_build_object(
            'system', 'as400', 'entityType', 'order', 'direction', 'EXPORT',
            'outcome', 'SUCCEEDED', 'startedAt', started_at, 'completedAt', clock_timestamp(),
            'processedCount', entities
        ),
        '{"sourceModule": "legacy", "actorId": "nightly job"}'
    ) as event_id
    from completed
)
insert into shop.legacy_sync_events (sync_id, what, event_id)
select sync_id, 'LegacySyncCompleted', event_id from published
returning event_id
