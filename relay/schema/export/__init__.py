"""Exports the catalog as AsyncAPI, JSON Schema or Markdown."""
