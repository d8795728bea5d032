"""Writes one event per transaction at a steady rate, run in a process of its own."""

from __future__ import annotations

import json
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

import psycopg

from relay.bench.event import EVENT_TYPE, payload
from relay.bench.options import Options
from relay.postgres.connect import connect

__all__ = ["write_events"]

_PUBLISH = "select outbox.publish(%s, 'order', %s, %s::jsonb)"


def write_events(results: Connection, database_url: str, total: int, options: Options) -> None:
    """Writes `total` events over several connections in turn.

    Sends (event id -> time.time_ns() when its commit had returned, seconds that it took).
    """
    connections = [
        connect(database_url, application_name="relay bench") for _ in range(options.connections)
    ]
    times: dict[str, int] = {}
    failures: list[Exception] = []
    began = time.perf_counter() + 0.1

    def write(first: int, connection: psycopg.Connection[Any]) -> None:
        try:
            for number in range(first, total, len(connections)):
                pause = began + number / options.rate - time.perf_counter()
                if pause > 0:
                    time.sleep(pause)
                aggregate_id = f"order-{number % options.aggregates:06d}"
                parameters = (EVENT_TYPE, aggregate_id, json.dumps(payload(number)))
                row = connection.execute(_PUBLISH, parameters).fetchone()
                now = time.time_ns()
                assert row is not None
                times[row[0]] = now
        except psycopg.Error as error:
            failures.append(error)

    threads = [
        threading.Thread(target=write, args=pair, daemon=True) for pair in enumerate(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"relay bench: a writer failed: {failures[0]}")
    results.send((times, time.perf_counter() - began))
