-- Held and dead ones too: somebody may still set them free.
select count(*)
from outbox.domain_events e
where e.event_type = %(event_type)s and e.schema_version = %(version)s
    and not exists (select from outbox.deliveries d where d.seq = e.seq and d.copy = 0)
