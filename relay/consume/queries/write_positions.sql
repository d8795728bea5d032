with here as (
    select inbox.server() as server, inbox.subscribed(%(group)s) as subscribed
),
written as (
    insert into inbox.positions as p (group_name, place, position)
    select
        %(group)s, given.place,
        jsonb_build_object('topic_id', given.topic_id, 'offset', given.next_offset)
    from here, unnest(%(places)s::text[], %(topic_ids)s::text[], %(offsets)s::bigint[])
        as given (place, topic_id, next_offset)
    where here.server = %(server)s and here.subscribed = %(subscribed)s::text[]
    on conflict (group_name, place) do update
        set position = excluded.position, updated_at = excluded.updated_at
        where p.position <> excluded.position
)
select server, subscribed from here
