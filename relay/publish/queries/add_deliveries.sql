-- Flags that a worker did not live to write; those that it did write stay as they are. What was
-- held has its earlier attempts in its hold, which is there until these flags are.
insert into outbox.deliveries (seq, copy, topic, partition, kafka_offset, attempts)
select given.*, coalesce(h.attempts, 0) + 1
from unnest(
    %(seqs)s::bigint[], %(copies)s::smallint[], %(topics)s::text[], %(partitions)s::integer[],
    %(offsets)s::bigint[]
) as given (seq, copy, topic, partition, kafka_offset)
left join outbox.holds h using (seq)
on conflict (seq, copy) do nothing
