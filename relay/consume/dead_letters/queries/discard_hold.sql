-- Asks the shard's worker to pass the event: it discards it in the order of its aggregate, in a
-- transaction of its own, and lets the later ones go on.
update outbox.holds
set state = 'failing', next_attempt_at = clock_timestamp(),
    discard_reason = %(reason)s, discarded_at = clock_timestamp()
where event_id = %(event_id)s and state = 'dead'
