select
    found.group_name, found.event_id, found.event_type, found.aggregate_id, found.attempt,
    found.state, found.stage, found.error_class, found.error, found.stacktrace,
    found.first_failed_at, found.failed_at, found.topic, found.partition, found.kafka_offset,
    found.key, found.value, found.header_names, found.header_values,
    found.dlq_topic, found.dlq_partition, found.dlq_offset, found.discard_reason,
    case when found.group_name <> 'relay' then (
        select count(*)
        from outbox.domain_events this
        join outbox.domain_events later
            on later.aggregate_type = this.aggregate_type
            and later.aggregate_id = this.aggregate_id
            and later.seq > this.seq
        join inbox.processed p on p.group_name = found.group_name and p.event_id = later.id
        where this.id = found.event_id
    ) else 0 end as later_events
from (
    select
        d.group_name, d.event_id, d.event_type,
        coalesce(e.aggregate_id, encode(d.key, 'escape')) as aggregate_id, d.attempt,
        d.state, d.stage, d.error_class, d.error, d.stacktrace, d.first_failed_at, d.failed_at,
        d.topic, d.partition, d.kafka_offset, d.key, d.value, d.header_names, d.header_values,
        d.dlq_topic, d.dlq_partition, d.dlq_offset, d.discard_reason
    from inbox.dead_letters d
    left join outbox.domain_events e on e.id = d.event_id
    union all
    -- What the relay itself gave up never reached a topic.
    select
        'relay', h.event_id, e.event_type, h.aggregate_id, h.attempts,
        case when h.discard_reason is null then h.state else 'discarded' end, 'publish', null,
        h.error, null, coalesce(h.first_failed_at, h.created_at),
        coalesce(h.failed_at, h.created_at), null, null, null, null, null, null, null,
        null, null, null, h.discard_reason
    from outbox.holds h
    join outbox.domain_events e on e.seq = h.seq
    where h.state = 'dead' or h.discard_reason is not null
) as found
where (%(group)s::text is null or found.group_name = %(group)s)
    and (%(event_type)s::text is null or found.event_type = %(event_type)s)
    and (%(aggregate)s::text is null or found.aggregate_id = %(aggregate)s)
    and (%(since)s::timestamptz is null or found.failed_at >= %(since)s)
    and (%(event_ids)s::text[] is null or found.event_id = any(%(event_ids)s))
    and found.state = any(%(states)s)
order by found.failed_at, found.partition, found.kafka_offset
limit %(limit)s
