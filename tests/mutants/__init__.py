"""Mutants: the relay with the rule of one hazard taken out, which a test must notice."""
