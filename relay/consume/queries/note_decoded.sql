insert into inbox.decoded (group_name, event_type, subject, schema_id, fingerprint, digest)
select %(group)s, event_type, subject, schema_id, fingerprint, digest
from unnest(
    %(event_types)s::text[], %(subjects)s::text[], %(schema_ids)s::integer[],
    %(fingerprints)s::bytea[], %(digests)s::bytea[]
) as noted (event_type, subject, schema_id, fingerprint, digest)
on conflict (group_name, event_type, subject, schema_id) do update
set fingerprint = excluded.fingerprint, digest = excluded.digest,
    last_decoded_at = greatest(inbox.decoded.last_decoded_at, excluded.last_decoded_at)
