"""Events of the domain fulfillment."""
