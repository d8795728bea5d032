"""Handles the signals of long-running commands."""

from __future__ import annotations

import signal
import threading

__all__ = ["stop_on_signals"]


def stop_on_signals() -> threading.Event:
    """Returns an event that SIGTERM and SIGINT set; a second signal ends the process at once.

    Must be called in the main thread.
    """
    stop = threading.Event()

    def set_stop(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    signal.signal(signal.SIGTERM, set_stop)
    signal.signal(signal.SIGINT, set_stop)
    return stop
