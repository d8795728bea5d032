-- Begins a run with the prunable events of the batch, or adds them to it. Nothing without any.
with gone as (
    select min(seq) as first, max(seq) as last, count(*) as events
    from prune_batch
    where reason is null
    having count(*) > 0
),
extended as (
    update outbox.pruned p
    set to_seq = gone.last, events = p.events + gone.events, at = clock_timestamp()
    from gone
    where p.run = %(run)s::bigint
    returning p.run
),
begun as (
    insert into outbox.pruned (months, from_seq, to_seq, events)
    select %(months)s, first, last, events
    from gone
    where %(run)s::bigint is null
    returning run
)
select run from extended
union all
select run from begun
