"""Odd rows, written by a service's role and run through a real relay."""
