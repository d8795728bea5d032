"""Waits for unavailable servers at the start of a process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from relay.errors import BrokerRefused, DatabaseRefused
from relay.outages import Outages
from relay.unavailable import unavailable_server

__all__ = ["wait_for_servers"]

Result = TypeVar("Result")

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 5.0
_REPORTER = "start"


def wait_for_servers(
    begin: Callable[[], Result],
    outages: Outages,
    stop: threading.Event,
    *,
    running: bool = False,
) -> Result | None:
    """Returns the result of `begin`, retried after each outage; None once `stop` is set.

    Otherwise a process started during an outage would end at once, and a supervisor that counts
    failures would abandon it. Errors that a person has to correct are raised:
    ConfigurationInvalid, PositionRefused, DatabaseRefused, BrokerRefused.
    running: the process has run already, so it also waits where a server refuses it.
    """
    pause = _FIRST_PAUSE
    while not stop.is_set():
        try:
            found = begin()
        except Exception as error:
            is_refused = isinstance(error, DatabaseRefused | BrokerRefused)
            server = unavailable_server(error)
            if server is None or (is_refused and not running):
                raise
            if server == "kafka":
                outages.database.recovered(_REPORTER)
            outages.of(server).unavailable(_REPORTER, str(error))
        else:
            outages.recovered(_REPORTER)
            return found
        stop.wait(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
    return None
