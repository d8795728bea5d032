update outbox.relay
set system_identifier = %(system)s, database_oid = %(database)s,
    cluster_id = coalesce(nullif(%(cluster)s, ''), cluster_id)
