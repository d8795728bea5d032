update inbox.dead_letters d
set sending_until = clock_timestamp() + interval '18 seconds'
from (
    select group_name, event_id from inbox.dead_letters
    where group_name = %(group)s and unsent
        and (sending_until is null or sending_until < clock_timestamp())
    order by failed_at
    limit 200
    for update skip locked
) as due
where d.group_name = due.group_name and d.event_id = due.event_id
returning
    d.event_id, d.attempt, d.state, d.topic, d.partition, d.kafka_offset, d.key, d.value,
    d.header_names, d.header_values, d.stage, d.error_class, d.error, d.stacktrace,
    d.first_failed_at, d.failed_at, d.settled_at, d.dlq_topic
