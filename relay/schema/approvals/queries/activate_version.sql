with found as (
    select event_type, version, subject, state
    from outbox.schema_versions
    where event_type = %(event_type)s and version = %(version)s and state = any(%(sources)s)
        and text = %(text)s
    for update
),
-- Only the version that the caller saw makes room: of two that replace the same one, one wins.
replaced as (
    update outbox.schema_versions v
    set state = 'deprecated', changed_at = clock_timestamp()
    from found
    where v.event_type = found.event_type and v.subject = found.subject
        and v.version = %(replaces)s::integer and v.state = 'active'
    returning v.event_type, v.version, v.state, v.text
),
-- The count makes this wait until the index has room.
moved as (
    update outbox.schema_versions v
    set state = %(target)s, sunset = null, changed_at = clock_timestamp()
    from found, (select count(*) as n from replaced) as made
    where v.event_type = found.event_type and v.version = found.version
        and made.n = (%(replaces)s::integer is not null)::integer
    returning v.event_type, v.version, found.state as from_state, v.state, v.text
),
written as (
    insert into outbox.schema_history
        (event_type, version, action, from_state, to_state, actor, reason, digest)
    select
        event_type, version, 'deprecate', 'active', state, %(by)s,
        format('version %%s was activated', %(version)s::integer), sha256(convert_to(text, 'UTF8'))
    from replaced
    union all
    select
        event_type, version, %(action)s, from_state, state, %(by)s, %(reason)s,
        sha256(convert_to(text, 'UTF8'))
    from moved
    returning version, to_state
)
select to_state from written where version = %(version)s
