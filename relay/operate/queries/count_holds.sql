select
    count(*),
    extract(epoch from clock_timestamp() - min(e.created_at))::float8
from outbox.holds h
join outbox.domain_events e using (seq)
