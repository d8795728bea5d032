"""Typed events generated from the catalog."""
