select distinct v.subject, v.schema_id
from registry.versions v
join registry.schemas s on s.id = v.schema_id
where (v.deleted_at is null or %(deleted)s)
  and s.refs @> jsonb_build_array(jsonb_build_object(
      'subject', %(subject)s::text, 'version', %(version)s::int))
order by v.schema_id, v.subject
