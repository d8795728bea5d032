select e.seq, e.id
from outbox.domain_events e
where e.seq = any(%(seqs)s)
  and not exists (select from outbox.deliveries d where d.seq = e.seq)
