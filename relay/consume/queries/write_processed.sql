-- The last statement of a handler transaction. Whether it still is the transaction that was entered,
-- and how many rows were missing.
with written as (
    insert into inbox.processed (group_name, event_id, attempt)
    select %(group)s, given.event_id, given.attempt
    from unnest(%(event_ids)s::text[], %(attempts)s::integer[]) as given (event_id, attempt)
    on conflict do nothing
    returning 1
)
select pg_current_xact_id()::text = %(transaction_id)s, (select count(*) from written)
