select group_name, schema_id, fingerprint, digest, last_decoded_at
from inbox.decoded
where event_type = %(event_type)s
order by group_name, schema_id
