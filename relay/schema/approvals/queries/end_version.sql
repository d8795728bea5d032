-- Deprecates or retires a version.
with found as (
    select event_type, version, state
    from outbox.schema_versions
    where event_type = %(event_type)s and version = %(version)s and state = any(%(sources)s)
    for update
),
moved as (
    update outbox.schema_versions v
    set state = %(target)s, sunset = coalesce(%(sunset)s::date, v.sunset),
        changed_at = clock_timestamp()
    from found
    where v.event_type = found.event_type and v.version = found.version
    returning
        v.event_type, v.version, found.state as from_state, v.state, v.text,
        case when v.state = 'deprecated' then v.sunset end as sunset
)
insert into outbox.schema_history
    (event_type, version, action, from_state, to_state, actor, reason, sunset, forced, digest)
select
    event_type, version, %(action)s, from_state, state, %(by)s, %(reason)s, sunset, %(forced)s,
    sha256(convert_to(text, 'UTF8'))
from moved
returning to_state
