delete from outbox.deliveries
where seq = any(array(select seq from prune_batch where reason is null))
