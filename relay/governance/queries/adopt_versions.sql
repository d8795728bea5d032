with adopted as (
    insert into outbox.schema_versions
        (event_type, version, subject, fingerprint, text, state, adopted, proposer)
    select
        %(event_type)s, given.version, given.subject, given.fingerprint, given.text, given.state,
        true, %(by)s
    from unnest(
        %(versions)s::integer[], %(subjects)s::text[], %(fingerprints)s::bytea[],
        %(texts)s::text[], %(states)s::text[]
    ) as given (version, subject, fingerprint, text, state)
    where not exists (
        select from outbox.schema_versions known where known.event_type = %(event_type)s
    )
    on conflict do nothing
    returning event_type, version, state, text
)
insert into outbox.schema_history (event_type, version, action, to_state, actor, digest)
select event_type, version, 'adopt', state, %(by)s, sha256(convert_to(text, 'UTF8'))
from adopted
order by version
