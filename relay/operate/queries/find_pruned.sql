-- By the hash of the id; the caller has found no row with the id.
select p.at, p.months
from outbox.id_hash(%(event_id)s) as given (hash)
join outbox.pruned_ids i on i.bucket = given.hash & 255 and given.hash = any(i.hashes)
join outbox.pruned p using (run)
order by p.at desc
limit 1
