-- The change, the event and the audit row are one statement: they stand or fall together.
with asked as (
    insert into shop.legacy_syncs (id, entity_ids, state)
    values (%(id)s, %(orders)s, 'requested')
    returning id, entity_ids
), published as materialized (
    select id as sync_id, outbox.publish(
        'LegacySyncRequested', 'legacy_sync', id,
        jsonb_build_object(
            'system', 'as400', 'entityType', 'order', 'entityIds', entity_ids,
            'direction', 'EXPORT', 'requestedBy', 'nightly job'
        ),
        '{"sourceModule": "legacy", "actorId": "nightly job"}'
    ) as event_id
    from asked
)
insert into shop.legacy_sync_events (sync_id, what, event_id)
select sync_id, 'LegacySyncRequested', event_id from published
returning event_id
