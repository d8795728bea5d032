"""Measures what a worker costs that has nothing to do."""

from __future__ import annotations

import time

from relay.bench.children import await_working, relay_worker
from relay.bench.testbed import Testbed
from relay.bench.usage import CpuTime

__all__ = ["idle"]

# Until imports, connections and the last flags are done.
_SETTLE_SECONDS = 5.0


def idle(testbed: Testbed) -> dict[str, float | None]:
    """Returns the percent of one core that a worker and its servers use once all is published.

    Raises BenchFailed.
    """
    deadline, pause = testbed.deadline(), testbed.options.idle_seconds
    with testbed.relay() as relay, relay_worker(relay) as worker:
        await_working(relay, worker, deadline)
        time.sleep(min(_SETTLE_SECONDS, pause))
        began = time.perf_counter()
        cpu = CpuTime({"worker": worker.process, **testbed.processes})
        time.sleep(pause)
        percents = cpu.used(per=(time.perf_counter() - began) / 100)
    return {f"{name}_percent_of_a_core": percent for name, percent in percents.items()}
