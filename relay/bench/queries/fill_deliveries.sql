insert into outbox.deliveries (seq, topic, partition, kafka_offset)
select %(start)s + n, 'events.grown', n %% 4, n / 4
from generate_series(%(first)s::bigint, %(last)s::bigint) as n
