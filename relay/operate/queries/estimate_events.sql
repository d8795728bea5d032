-- Rows as the last VACUUM or ANALYZE counted them; of all partitions where there are any.
select coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint
from pg_partition_tree('outbox.domain_events') t
join pg_class c on c.oid = t.relid
where t.isleaf
