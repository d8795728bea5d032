"""Chaos: a seeded injector of faults on a real stack, and a checker independent of relay/.

`python -m tests.chaos --seed N --seconds S`, or `make chaos`; see docs/testing.md.
"""
