select max(at)
from outbox.pruned
where to_seq > %(after)s and (%(through)s::bigint is null or from_seq <= %(through)s)
