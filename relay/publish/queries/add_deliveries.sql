-- Adds the flags that a worker did not write before it ended; existing ones stay. Earlier attempts
-- of a held event are in its hold, which is deleted after this.
insert into outbox.deliveries (seq, copy, topic, partition, kafka_offset, attempts)
select given.*, coalesce(h.attempts, 0) + 1
from unnest(
    %(seqs)s::bigint[], %(copies)s::smallint[], %(topics)s::text[], %(partitions)s::integer[],
    %(offsets)s::bigint[]
) as given (seq, copy, topic, partition, kafka_offset)
left join outbox.holds h using (seq)
on conflict (seq, copy) do nothing
