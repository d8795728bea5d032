"""Computes how long to wait before a retry."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

__all__ = ["Backoff"]

# 2.0**1024 overflows; any maximum is reached earlier.
_MAX_EXPONENT: Final = 512


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff: initial, initial x multiplier, ... up to a maximum.

    multiplier: growth per failure, at least 1. jitter: the random share of each pause, from 0 to
    1, so that simultaneous failures are not retried simultaneously.
    """

    initial: timedelta
    maximum: timedelta
    multiplier: float = 2.0
    jitter: float = 0.0

    def after(self, failures: int) -> timedelta:
        """Returns the pause after this many failures, from 1."""
        seconds = self.maximum.total_seconds()
        exponent = min(max(failures - 1, 0), _MAX_EXPONENT)
        with suppress(OverflowError):
            seconds = min(seconds, self.initial.total_seconds() * self.multiplier**exponent)
        return timedelta(seconds=seconds * random.uniform(1 - self.jitter, 1))
