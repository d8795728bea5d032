-- Notes that a person did it: later events of the aggregate may have passed this one.
with due as (
    update outbox.holds
    set state = 'failing', next_attempt_at = clock_timestamp(),
        discard_reason = null, discarded_at = null
    where event_id = %(event_id)s and state in ('dead', 'discarded')
    returning seq
)
insert into outbox.replays (seq)
select seq from due
on conflict (seq) do update set replayed_at = excluded.replayed_at
