"""Schemas: the registry and its client, and what is made and checked from the catalog."""
