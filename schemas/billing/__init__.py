"""Events of the domain billing."""
