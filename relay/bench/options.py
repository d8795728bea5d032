"""What a measurement is done with."""

from __future__ import annotations

from dataclasses import dataclass

from relay.errors import RelayError

__all__ = ["BenchFailed", "Options", "Servers"]


class BenchFailed(RelayError):
    """A scenario could not be measured."""


@dataclass(frozen=True, slots=True)
class Servers:
    """Addresses of servers that run already; all three or none."""

    database_url: str
    bootstrap_servers: str
    registry_url: str


@dataclass(frozen=True, slots=True)
class Options:
    """Sizes of the scenarios; `docs/benchmarks.md` says what each means.

    rows, memory_rows, warm_up_rows: events of a backlog. rate: events a second. seconds,
    warm_up_seconds, idle_seconds: of measuring, of what is left out before it, of watching an idle
    worker. limit_seconds: a scenario that takes longer has failed.
    """

    rows: int = 300_000
    aggregates: int = 20_000
    partitions: int = 6
    shards: int = 4
    rate: int = 500
    connections: int = 4
    seconds: float = 20.0
    warm_up_seconds: float = 30.0
    warm_up_rows: int = 50_000
    idle_seconds: float = 20.0
    memory_rows: int = 1_000_000
    limit_seconds: float = 300.0
