"""A consumer group in a process of its own, to be killed or frozen by a test.

Run as `python -m tests.integration.consuming_process SETTINGS GROUP PACE FREEZE`: settings in
JSON; seconds that the handler takes; a number whose handler stops for good where it is (once
for the whole test, noted in the table `frozen`).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from typing import Any

from relay.consume import Group
from relay.consume.worker import consume
from relay.settings import load_settings
from tests.integration.consuming import Counted, OneSchema, act


def main() -> None:
    overrides, name, pace, freeze = sys.argv[1:5]
    group = Group(name)

    @group.handles(Counted)
    def handler(event: Counted, context: Any) -> None:
        act(event, context)
        if event.number == int(freeze):
            _freeze_once(overrides)
        time.sleep(float(pace))

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    consume(load_settings(**json.loads(overrides)), group, OneSchema(), stop=stop)


def _freeze_once(overrides: str) -> None:
    """Stops the whole process in the middle of its handler's transaction, the first time."""
    import psycopg

    with psycopg.connect(json.loads(overrides)["database_url"], autocommit=True) as connection:
        query = "insert into frozen values (1, %s) on conflict do nothing"
        if connection.execute(query, (os.getpid(),)).rowcount:
            os.kill(os.getpid(), signal.SIGSTOP)


if __name__ == "__main__":
    main()
