-- New events get numbers beyond those that were given.
select setval(
    'outbox.domain_events_seq_seq',
    greatest(
        (select last_value from outbox.domain_events_seq_seq),
        (select max(seq) from outbox.domain_events)
    )
)
