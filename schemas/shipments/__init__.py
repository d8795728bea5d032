"""Events of the domain shipments."""
