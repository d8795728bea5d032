-- Average bytes of a row, over some of them.
select round(avg(pg_column_size(sample)))::integer
from (select * from outbox.domain_events order by seq limit 1000) as sample
