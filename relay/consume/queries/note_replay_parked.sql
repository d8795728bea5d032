update inbox.parked_queues q
set inserts = q.inserts + 1,
    next_attempt_at = case when first.yes then clock_timestamp() else q.next_attempt_at end,
    failures = case when first.yes then 0 else q.failures end
from (
    select not exists (
        select from inbox.parked p
        where p.queue = %(queue)s and p.group_name = %(group)s
            and (p.sequence, p.arrival) < (%(sequence)s, %(arrival)s)
    ) as yes
) as first
where q.queue = %(queue)s and q.group_name = %(group)s
