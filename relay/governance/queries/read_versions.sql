select
    event_type, version, subject, fingerprint, text, state, adopted, proposer, proposed_at,
    approver, approved_at, reason, sunset
from outbox.schema_versions
where event_type = %(event_type)s
order by version
