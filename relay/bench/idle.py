"""What a worker costs that has nothing to do."""

from __future__ import annotations

import time
from typing import Any

from relay.bench.children import await_working, relay_worker
from relay.bench.options import Options
from relay.bench.place import Place
from relay.bench.usage import cpu_seconds

__all__ = ["idle"]

# Until imports, connections and the last flags are over and done with.
_SETTLE_SECONDS = 5.0


def idle(place: Place, options: Options) -> dict[str, Any]:
    """Percent of one core that a worker takes, and its servers for its sake, once all is
    published. Raises BenchFailed."""
    deadline = time.monotonic() + options.limit_seconds
    with place.relay() as relay, relay_worker(relay) as worker:
        await_working(relay, worker, deadline)
        time.sleep(min(_SETTLE_SECONDS, options.idle_seconds))
        processes = {"worker": worker.pid, "postgres": place.postgres, "kafka": place.kafka}
        began = time.perf_counter()
        before = {name: cpu_seconds(process) for name, process in processes.items()}
        time.sleep(options.idle_seconds)
        after = {name: cpu_seconds(process) for name, process in processes.items()}
        seconds = time.perf_counter() - began
    return {
        f"{name}_percent_of_a_core": None
        if (begin := before[name]) is None or (end := after[name]) is None
        else round((end - begin) / seconds * 100, 2)
        for name in processes
    }
