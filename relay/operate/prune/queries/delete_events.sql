delete from outbox.domain_events
where seq = any(array(select seq from prune_batch where reason is null))
