-- Events that are neither published nor given up, nor waiting behind one that was given up, nor
-- waiting for something outside: these are tried once more whenever they are due, since what they
-- waited for may have come.
select
from outbox.domain_events e
where not exists (select from outbox.deliveries d where d.seq = e.seq and d.copy = 0)
  and not exists (
      select from outbox.holds h
      where h.seq = e.seq
        and (h.state <> 'failing' or (h.attempts = 0 and h.next_attempt_at > %(now)s))
        and not (h.state = 'held' and exists (
            select from outbox.holds f
            where f.aggregate_type = h.aggregate_type and f.aggregate_id = h.aggregate_id
              and f.state = 'failing' and f.attempts > 0
        ))
  )
limit 1
