select fixed from demo.faults
where group_name = %(group)s and event_type = %(event_type)s and aggregate_id = %(aggregate_id)s
