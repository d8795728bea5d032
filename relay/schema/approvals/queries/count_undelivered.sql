-- Held and dead ones too: somebody may still set them free; not what a person discarded. Rows that name no version go out under
-- the active one; while there is none, they can only go out once this one is active again.
select count(*)
from outbox.domain_events e
where e.event_type = %(event_type)s
    and (
        e.schema_version = %(version)s
        or e.schema_version is null and not exists (
            select
            from outbox.schema_versions v
            where v.event_type = %(event_type)s and v.state = 'active'
        )
    )
    and not exists (select from outbox.deliveries d where d.seq = e.seq and d.copy = 0)
    and not exists (
        select from outbox.holds h where h.seq = e.seq and h.discard_reason is not null
    )
