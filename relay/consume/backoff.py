"""How long to wait before an event is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass

__all__ = ["Backoff"]


@dataclass(frozen=True)
class Backoff:
    """Exponential pauses. initial_ms, max_ms: milliseconds; multiplier: growth a try, >= 1."""

    initial_ms: int
    max_ms: int
    multiplier: float

    def pause_ms(self, failures: int) -> float:
        """Pause after `failures` tries (>= 1) failed, in milliseconds, without jitter."""
        # 2.0**1024 overflows; the ceiling is reached long before.
        exponent = min(failures - 1, 512) if self.multiplier > 1 else 0
        try:
            grown = self.initial_ms * self.multiplier**exponent
        except OverflowError:
            return float(self.max_ms)
        return min(float(self.max_ms), grown)

    def jittered_ms(self, failures: int) -> float:
        """`pause_ms` times a random factor from 0.5 to 1, so that failures do not march in step."""
        return self.pause_ms(failures) * random.uniform(0.5, 1.0)
