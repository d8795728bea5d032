-- shards: pinned number, null before `relay migrate`. events: exact up to a million, beyond that
-- the planner's estimate by the last VACUUM or ANALYZE of all partitions. dead: of the
-- relay or of any consumer group. discarded: given up by a person before they were published.
-- pruned: deleted by `relay prune` so far.
with estimate as (
    select coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint as events
    from pg_class c
    where c.relkind = 'r'
        and (
            c.oid = 'outbox.domain_events'::regclass
            or c.oid in (
                select inhrelid from pg_inherits
                where inhparent = 'outbox.domain_events'::regclass
            )
        )
),
held as (
    select
        count(*) as events,
        (
            select e.created_at
            from (
                select seq from outbox.holds where discard_reason is null order by seq limit 1
            ) as first
            join outbox.domain_events e using (seq)
        ) as oldest
    from outbox.holds
    where discard_reason is null
)
select
    (select shards from outbox.relay) as shards,
    case
        when estimate.events > 1000000 then estimate.events
        else (select count(*) from (select from outbox.domain_events limit 1000001) as counted)
    end as events,
    held.events as held,
    extract(epoch from clock_timestamp() - held.oldest)::float8 as oldest_held_seconds,
    (select count(distinct event_id) from outbox.open_dead_letters) as dead,
    (select count(*) from outbox.holds where discard_reason is not null) as discarded,
    (select coalesce(sum(events), 0)::bigint from outbox.pruned) as pruned
from estimate, held
