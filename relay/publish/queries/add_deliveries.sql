-- Flags that a worker did not live to write; those that it did write stay as they are.
insert into outbox.deliveries (seq, copy, topic, partition, kafka_offset)
select * from unnest(
    %(seqs)s::bigint[], %(copies)s::smallint[], %(topics)s::text[], %(partitions)s::integer[],
    %(offsets)s::bigint[]
)
on conflict (seq, copy) do nothing
