"""Events of the domain automation."""
