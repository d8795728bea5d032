select coalesce(max((reference ->> 'version')::int), 0)
from registry.schemas, jsonb_array_elements(refs) as reference
where refs @> jsonb_build_array(jsonb_build_object('subject', %(subject)s::text))
  and reference ->> 'subject' = %(subject)s
