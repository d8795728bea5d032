select
    v.event_type, v.version, v.subject, v.fingerprint, v.logical_digest, v.text, v.state,
    v.adopted, v.proposer, v.proposed_at, v.approver, v.approved_at, v.reason, v.sunset,
    v.state = 'retired' and exists (
        select
        from outbox.schema_history h
        where h.event_type = v.event_type and h.version = v.version
            and h.action = 'retire' and h.from_state in ('proposed', 'approved')
    ) as withdrawn
from outbox.schema_versions v
where v.event_type = %(event_type)s
order by v.version
