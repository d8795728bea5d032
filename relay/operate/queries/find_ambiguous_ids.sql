-- Only where no unique index on the id alone keeps them apart: a partitioned table has none.
select id, count(*) - 1, (sum(count(*) - 1) over ())::bigint
from outbox.domain_events
group by id
having count(*) > 1
limit %(most)s
