select exists (select from outbox.schema_versions)
