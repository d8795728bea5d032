"""Everything about schemas: Avro, compatibility, catalog, approvals, checks, code."""
