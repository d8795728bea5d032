"""Waits at the start of a process for servers that are unavailable."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from relay.errors import BrokerUnavailable, DatabaseRefused, RegistryUnavailable
from relay.outages import Outages
from relay.postgres.connect import OUTAGES

__all__ = ["wait_for_servers"]

Result = TypeVar("Result")

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 5.0
_REPORTER = "start"


def wait_for_servers(
    begin: Callable[[], Result], outages: Outages, stop: threading.Event
) -> Result | None:
    """The result of `begin`, called again after each outage; None once `stop` is set.

    A process that a crash, a deployment or a supervisor has started while a server is unavailable
    would otherwise end at once, and whoever counts its failures would give it up. What a person has
    to correct is raised: ConfigurationInvalid, PositionRefused, DatabaseRefused.
    """
    pause = _FIRST_PAUSE
    while not stop.is_set():
        try:
            found = begin()
        except DatabaseRefused:
            raise
        except OUTAGES as error:
            outages.database.away(_REPORTER, str(error).strip())
        except BrokerUnavailable as error:
            outages.database.back(_REPORTER)
            outages.kafka.away(_REPORTER, str(error))
        except RegistryUnavailable as error:
            outages.registry.away(_REPORTER, str(error))
        else:
            outages.no_longer_missed_by(_REPORTER)
            return found
        stop.wait(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
    return None
