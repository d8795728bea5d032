"""How long to wait before something is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

__all__ = ["Backoff"]

# 2.0**1024 overflows; any maximum is reached long before.
_MAX_EXPONENT: Final = 512


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff: initial, initial x multiplier, ... up to a maximum.

    multiplier: growth per failure, at least 1. jitter: the share of each pause, from 0 to 1, that
    is random, so that what failed together is not tried again together.
    """

    initial: timedelta
    maximum: timedelta
    multiplier: float = 2.0
    jitter: float = 0.0

    def after(self, failures: int) -> timedelta:
        """The pause after so many failures, 1 being the first."""
        pause = self._without_jitter(failures)
        return pause * random.uniform(1 - self.jitter, 1) if self.jitter else pause

    def _without_jitter(self, failures: int) -> timedelta:
        exponent = min(max(failures - 1, 0), _MAX_EXPONENT) if self.multiplier > 1 else 0
        try:
            grown = self.initial.total_seconds() * self.multiplier**exponent
        except OverflowError:
            return self.maximum
        return timedelta(seconds=min(grown, self.maximum.total_seconds()))
