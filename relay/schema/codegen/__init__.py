"""Generates typed Python events from the catalog."""
