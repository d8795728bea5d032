"""What every long-running command does with signals and logs."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

__all__ = ["configure_logging", "stop_on_signals"]


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set; the second signal of a kind ends the process at once.

    To be called in the main thread.
    """
    stop = threading.Event()

    def set_stop(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    signal.signal(signal.SIGTERM, set_stop)
    signal.signal(signal.SIGINT, set_stop)
    return stop


def configure_logging(level: str = "WARNING") -> None:
    """Logs go to standard error, from `level` up, or from what EVENT_BUS_LOG_LEVEL says."""
    logging.basicConfig(
        stream=sys.stderr,
        level=os.environ.get("EVENT_BUS_LOG_LEVEL", level).upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
