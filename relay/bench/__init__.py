"""Measures the relay and the machine that it runs on; `relay bench` runs it."""
