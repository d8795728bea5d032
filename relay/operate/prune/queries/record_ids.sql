insert into outbox.pruned_ids (run, bucket, hashes)
select %(run)s, hash & 255, array_agg(hash)
from (
    select outbox.id_hash(id) as hash
    from prune_batch
    where reason is null
) as gone
group by hash & 255
