"""Events of the domain orders."""
