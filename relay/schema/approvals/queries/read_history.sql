select
    at, event_type, version, action, from_state, to_state, actor, reason, forced, sunset, digest,
    db_user
from outbox.schema_history
where event_type = %(event_type)s
order by id
