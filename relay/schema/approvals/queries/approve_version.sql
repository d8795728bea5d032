with found as (
    select event_type, version, state
    from outbox.schema_versions
    where event_type = %(event_type)s and version = %(version)s and state = any(%(sources)s)
        and proposer <> %(by)s
        -- What was proposed may be another text by now than the one that the approver has read.
        and text = %(text)s
    for update
),
moved as (
    update outbox.schema_versions v
    set state = %(target)s, approver = %(by)s, approved_at = clock_timestamp(),
        reason = %(reason)s, changed_at = clock_timestamp()
    from found
    where v.event_type = found.event_type and v.version = found.version
    returning v.event_type, v.version, found.state as from_state, v.state, v.text
)
insert into outbox.schema_history
    (event_type, version, action, from_state, to_state, actor, reason, digest)
select
    event_type, version, %(action)s, from_state, state, %(by)s, %(reason)s,
    sha256(convert_to(text, 'UTF8'))
from moved
returning to_state
