select
    v.subject, v.version, v.schema_id, s.digest, s.text, s.refs, v.deleted_at is not null as deleted
from registry.versions v
join registry.schemas s on s.id = v.schema_id
where {condition}
order by v.subject, v.version
