"""Who decided which schema version may be published, and which groups still read it."""
