select name, shards, system_identifier, database_oid, cluster_id from outbox.relay
