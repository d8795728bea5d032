select copy as major, topic, partition, kafka_offset as "offset"
from outbox.deliveries
where seq = %(seq)s and copy > 0
order by copy
