select verdicts, transaction_id::text, server
from inbox.enter(
    %(group)s, %(topics)s::text[], %(keys)s::bytea[], %(event_ids)s::text[],
    %(idle_timeout_ms)s, %(statement_timeout_ms)s
)
