with here as (select inbox.server() as server),
written as (
    insert into inbox.positions as p (group_name, place, position)
    select
        %(group)s, given.place,
        jsonb_build_object('topic_id', given.topic_id, 'offset', given.next_offset)
    from here, unnest(%(places)s::text[], %(topic_ids)s::text[], %(offsets)s::bigint[])
        as given (place, topic_id, next_offset)
    where here.server = %(server)s
    on conflict (group_name, place) do update
        set position = excluded.position, updated_at = excluded.updated_at
        where p.position <> excluded.position
)
select server from here
