select event_type, version, state, fingerprint, logical_digest
from outbox.schema_versions
where event_type in (
    select name from json_array_elements_text(cast(%(event_types)s as json)) as asked (name)
)
order by event_type, version
