update outbox.holds
set state = 'failing', attempts = 0, next_attempt_at = clock_timestamp()
where event_id = %(event_id)s and state = 'dead'
