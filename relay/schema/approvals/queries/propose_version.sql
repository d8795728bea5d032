with found as (
    select event_type, version, state
    from outbox.schema_versions
    where event_type = %(event_type)s and version = %(version)s
    for update
),
moved as (
    insert into outbox.schema_versions as v (
        event_type, aggregate_type, version, subject, fingerprint, logical_digest, text, state,
        proposer
    )
    values (
        %(event_type)s, %(aggregate_type)s, %(version)s, %(subject)s, %(fingerprint)s,
        %(logical_digest)s, %(text)s, %(target)s, %(by)s
    )
    on conflict (event_type, version) do update
    set aggregate_type = excluded.aggregate_type, subject = excluded.subject, fingerprint = excluded.fingerprint,
        logical_digest = excluded.logical_digest, text = excluded.text, state = excluded.state,
        proposer = excluded.proposer, proposed_at = clock_timestamp(),
        approver = null, approved_at = null, reason = null, changed_at = clock_timestamp()
    where v.state = any(%(sources)s) and (v.text <> excluded.text or v.aggregate_type <> excluded.aggregate_type)
        -- Not where it came in the meantime: its proposer's text would go unread.
        and exists (select from found)
    returning v.event_type, v.version, v.state, v.text
)
insert into outbox.schema_history
    (event_type, version, action, from_state, to_state, actor, reason, digest)
select
    moved.event_type, moved.version, %(action)s, found.state, moved.state, %(by)s, %(reason)s,
    sha256(convert_to(moved.text, 'UTF8'))
from moved
left join found using (event_type, version)
returning to_state
