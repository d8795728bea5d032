-- The attempts so far stay: they tell later that the event was dead, and may have been overtaken.
update outbox.holds
set state = 'failing', next_attempt_at = clock_timestamp()
where event_id = %(event_id)s and state = 'dead'
