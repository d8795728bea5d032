"""How long a shard waits between two transactions, as arithmetic without I/O or clock."""

from __future__ import annotations

__all__ = ["Pace"]

SHORTEST = 0.002
LONGEST = 0.020
# librdkafka's own pause (rdkafka_txnmgr.c): a small batch that took this long had to ask twice.
_ASKED_TWICE = 0.020
_SMALL = 100
_DECAY = 63 / 64


class Pace:
    """One a shard.

    A commit is acknowledged before the broker has written the transaction's markers. Until it has,
    the next transaction is refused with CONCURRENT_TRANSACTIONS, and librdkafka asks again only
    20 ms later. So a shard leaves a pause behind each commit, in which further rows gather: it
    doubles where that happened all the same, and shrinks slowly where it did not, so that about
    one transaction in fifty asks twice.
    """

    def __init__(self) -> None:
        self.pause = SHORTEST

    def took(self, records: int, seconds: float) -> None:
        """A batch of `records` was acknowledged `seconds` after its transaction began."""
        if records > _SMALL:
            return
        if seconds >= _ASKED_TWICE:
            self.pause = min(self.pause * 2, LONGEST)
        else:
            self.pause = max(self.pause * _DECAY, SHORTEST)
