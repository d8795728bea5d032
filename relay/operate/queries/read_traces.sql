-- All that is known of an event in the consumer groups: one row a group.
with traced as (
    select group_name from inbox.processed where event_id = %(event_id)s
    union select group_name from inbox.parked where event_id = %(event_id)s
    union select group_name from inbox.dead_letters where event_id = %(event_id)s
    union select group_name from outbox.outcomes where event_id = %(event_id)s
)
select
    t.group_name as group,
    p.attempt as processed_attempts,
    k.attempts as parked_attempts, k.error as parked_error,
    l.state as dead_letter_state, l.attempt as dead_letter_attempts, l.error as dead_letter_error,
    o.state as outcome_state, o.attempt as outcome_attempts, o.error as outcome_error,
    coalesce(o.dlq_topic, case when l.dlq_offset is not null then l.dlq_topic end) as dlq_topic,
    coalesce(o.dlq_partition, l.dlq_partition) as dlq_partition,
    coalesce(o.dlq_offset, l.dlq_offset) as dlq_offset
from traced t
left join inbox.processed p on p.group_name = t.group_name and p.event_id = %(event_id)s
left join inbox.parked k on k.group_name = t.group_name and k.event_id = %(event_id)s
left join inbox.dead_letters l on l.group_name = t.group_name and l.event_id = %(event_id)s
left join outbox.outcomes o on o.group_name = t.group_name and o.event_id = %(event_id)s
