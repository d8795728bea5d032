"""Major versions of an event: their families, converters between them, and copies."""
