insert into outbox.relay (name, shards, system_identifier, database_oid, cluster_id)
values (%s, %s, %s, %s, %s)
on conflict (only_one) do nothing
