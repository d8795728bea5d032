"""Writers in a process of their own: one event a transaction, at a steady rate.

Run with one JSON argument: {"database_url", "rate", "seconds", "connections", "aggregates",
"times": file}. Writes event id -> nanoseconds since the epoch at which its commit had returned,
and says {"written": n, "seconds": s}.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psycopg

from relay.bench.event import EVENT_TYPE, payload
from relay.postgres.connect import connect

__all__: list[str] = []

_PUBLISH = "select outbox.publish(%s, 'order', %s, %s::jsonb)"


def main(task: dict[str, Any]) -> None:
    """Writes rate x seconds events over some connections that take turns."""
    connections = [
        connect(task["database_url"], application_name="relay bench")
        for _ in range(task["connections"])
    ]
    times: dict[str, int] = {}
    failures: list[Exception] = []
    began = time.perf_counter() + 0.1
    total = int(task["rate"] * task["seconds"])

    def write(first: int, connection: psycopg.Connection[Any]) -> None:
        try:
            for number in range(first, total, len(connections)):
                pause = began + number / task["rate"] - time.perf_counter()
                if pause > 0:
                    time.sleep(pause)
                row = connection.execute(
                    _PUBLISH,
                    (
                        EVENT_TYPE,
                        f"order-{number % task['aggregates']:06d}",
                        json.dumps(payload(number)),
                    ),
                ).fetchone()
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
    seconds = time.perf_counter() - began
    Path(task["times"]).write_text(json.dumps(times))
    print(json.dumps({"written": len(times), "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
