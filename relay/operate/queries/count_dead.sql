-- Events that the relay or any consumer group gave up.
select count(*)
from (
    select event_id from outbox.holds where state = 'dead'
    union
    select event_id from outbox.outcomes where state = 'dead'
) as dead
