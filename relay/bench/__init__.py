"""Measures how fast the relay is, and what the machine below it can do; `relay bench` runs it."""
