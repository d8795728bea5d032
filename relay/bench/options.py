"""The options of a run."""

from __future__ import annotations

from dataclasses import dataclass

from relay.errors import RelayError

__all__ = ["BenchFailed", "Options", "Servers"]


class BenchFailed(RelayError):
    """A scenario could not be measured."""


@dataclass(frozen=True, slots=True)
class Servers:
    """Addresses of the servers to measure on."""

    database_url: str
    bootstrap_servers: str
    registry_url: str


@dataclass(frozen=True, slots=True)
class Options:
    """Sizes of the scenarios, see `docs/benchmarks.md`.

    rows, memory_rows, warm_up_rows: events of a backlog. growth_rows: delivered events of the
    larger outbox. consumed_rows, parked_rows, parked_keys, long_queue_rows: events of a group's
    backlog, parked events, keys of those, and parked events of one key. rate: events per second.
    seconds, warm_up_seconds, idle_seconds: measured, ignored before that, measured with an idle
    worker.
    limit_seconds: a scenario that takes longer has failed.
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
    growth_rows: int = 1_000_000
    consumed_rows: int = 100_000
    parked_rows: int = 20_000
    parked_keys: int = 10_000
    long_queue_rows: int = 100_000
    limit_seconds: float = 300.0
