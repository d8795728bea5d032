-- Whether there are events that are neither published, dead nor discarded, nor wait for a dead one, for
-- a schema or topic that is missing: those are retried whenever they are due. Only what some shard's
-- position has not passed is looked at, see relay.capture.position.beyond, and the holds.
(
    select
    from outbox.domain_events e
    where (
          e.xid = any(%(in_progress)s::xid8[]) or e.xid >= %(xmax)s::xid8
          or e.seq > %(after)s::bigint
      )
      and not exists (select from outbox.deliveries d where d.seq = e.seq and d.copy = 0)
      and not exists (select from outbox.holds h where h.seq = e.seq)
    limit 1
)
union all
(
    select
    from outbox.holds h
    -- What is held goes on with the failing event that it waits for.
    where h.state = 'failing' and (h.attempts > 0 or h.next_attempt_at <= clock_timestamp())
    limit 1
)
