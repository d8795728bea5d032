-- Events that are still in the topics and whose rows `relay prune` has deleted.
select count(distinct r.event_id)
from verify_records r
where r.copy = 0
    and exists (select from outbox.pruned p where r.sequence between p.from_seq and p.to_seq)
    and not exists (select from outbox.domain_events e where e.id = r.event_id)
