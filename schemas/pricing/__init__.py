"""Events of the domain pricing."""
