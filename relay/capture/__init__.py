"""Reads from the outbox what was committed since a position, once and in order."""
