"""When a failed event is retried, and when it becomes a dead letter."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from relay.consume.failures import Failure
from relay.process.backoff import Backoff
from relay.settings import Settings

__all__ = ["RetryPolicy"]

# Tries in the lane before an event is parked; other keys of the lane wait meanwhile.
LANE_ATTEMPTS: Final = 3
LANE_PAUSES_S: Final = ((0.05, 0.15), (0.15, 0.5))
# Half of each pause is random, so that failures do not march in step.
JITTER: Final = 0.5


@dataclass(frozen=True)
class RetryPolicy:
    """First a few tries in the lane, then parked with growing pauses, then a dead letter.

    max_attempts: of one round, in the lane and parked together; a replay begins a new round.
    backoff: pauses of a parked event.
    """

    max_attempts: int
    backoff: Backoff

    @classmethod
    def of(cls, settings: Settings) -> RetryPolicy:
        """As EVENT_BUS_MAX_ATTEMPTS and EVENT_BUS_BACKOFF_* set it."""
        return cls(
            settings.max_attempts,
            Backoff(
                timedelta(milliseconds=settings.backoff_initial_ms),
                timedelta(milliseconds=settings.backoff_max_ms),
                settings.backoff_multiplier,
                JITTER,
            ),
        )

    def gives_up(self, failure: Failure, round_attempts: int) -> bool:
        """Whether an event that failed `round_attempts` times gets a dead letter."""
        return failure.fatal or round_attempts >= self.max_attempts

    def leaves_lane(self, failure: Failure, round_attempts: int) -> bool:
        """Whether the event leaves its lane, parked or as a dead letter."""
        return (
            round_attempts >= LANE_ATTEMPTS
            or failure.slow
            or failure.elsewhere
            or self.gives_up(failure, round_attempts)
        )

    def lane_pause_s(self, round_attempts: int) -> float:
        """Seconds before the next try in the lane."""
        return random.uniform(*LANE_PAUSES_S[round_attempts - 1])

    def parked_pause(self, failure: Failure, round_attempts: int) -> timedelta:
        """Pause before the next try of a parked event; the lane's tries count as one.

        The longest where other members may be able to handle it: a deployment takes its time, and
        must not use up the event's attempts.
        """
        if failure.elsewhere:
            return self.backoff.maximum
        return self.backoff.after(round_attempts - LANE_ATTEMPTS + 1)
