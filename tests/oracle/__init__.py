"""Compatibility against Java's own verdict, on generated pairs of schemas."""
