"""The catalog for others: JSON Schema, AsyncAPI, a page for people."""
