select event_type, version, subject, fingerprint, logical_digest, state
from outbox.schema_versions
where event_type in (
    select name from json_array_elements_text(cast(%(event_types)s as json)) as wanted (name)
)
order by event_type, version
