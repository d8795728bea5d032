-- Events, those flagged with their place, and those flagged twice or without an event.
select
    (select count(*) from outbox.domain_events),
    (select count(*) from outbox.domain_events e join outbox.deliveries d using (seq)
     where d.copy = 0 and d.kafka_offset is not null),
    (select count(*) from outbox.deliveries)
