"""Consumer groups of the catalog: one module a group, each with tables of its own."""
