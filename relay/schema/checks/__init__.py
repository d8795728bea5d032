"""Reviews a change of a schema: differences in words, lint, and values really converted."""
