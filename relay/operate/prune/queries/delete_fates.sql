-- What is known about the prunable events beside their rows and deliveries.
with holds as (
    delete from outbox.holds
    where seq = any(array(select seq from prune_batch where reason is null))
),
replays as (
    delete from outbox.replays
    where seq = any(array(select seq from prune_batch where reason is null))
)
delete from outbox.outcomes
where event_id = any(array(select id from prune_batch where reason is null))
