"""Keeps the outbox's monthly partitions, where it has any, from a worker's main thread."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

import psycopg

from relay.errors import DatabaseUnavailable, in_a_line
from relay.postgres.partitions import Month

__all__ = ["Months"]

log = logging.getLogger(__name__)

_EVERY_S: Final = 600.0


class Months:
    """Every worker does it, every ten minutes; one at a time acts.

    A failure is no reason to stop: the months ahead are there, and the last one goes on.
    """

    def __init__(self, keep: Callable[[], Sequence[Month]]) -> None:
        self._keep = keep
        self._next = 0.0

    def tend(self) -> None:
        """Makes what is missing, when it is time. Raises nothing."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY_S
        try:
            for month in self._keep():
                log.info("the outbox has a partition for %s", month)
        except DatabaseUnavailable:
            pass  # The other threads report it.
        except psycopg.Error as error:
            log.warning(
                "no partition could be made for the next months, they go on in the last one: %s. "
                "It is tried again",
                in_a_line(error),
            )
