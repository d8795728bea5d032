with adopted as (
    insert into outbox.schema_versions (
        event_type, aggregate_type, version, subject, fingerprint, logical_digest, text, state,
        adopted, proposer
    )
    select
        given.event_type, given.aggregate_type, given.version, given.subject, given.fingerprint,
        given.logical_digest, given.text, given.state, true, %(by)s
    from unnest(
        %(event_types)s::text[], %(aggregate_types)s::text[], %(versions)s::integer[],
        %(subjects)s::text[], %(fingerprints)s::bytea[], %(logical_digests)s::bytea[],
        %(texts)s::text[], %(states)s::text[]
    ) as given (
        event_type, aggregate_type, version, subject, fingerprint, logical_digest, text, state
    )
    where not exists (
        select
        from outbox.schema_versions known
        -- The whole catalog is adopted only once, at the very beginning.
        where %(whole_catalog)s::boolean or known.event_type = given.event_type
    )
    on conflict do nothing
    returning event_type, version, state, text
)
insert into outbox.schema_history (event_type, version, action, to_state, actor, reason, digest)
select event_type, version, 'adopt', state, %(by)s, %(reason)s, sha256(convert_to(text, 'UTF8'))
from adopted
order by event_type, version
