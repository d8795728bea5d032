"""How long a shard waits between two transactions: arithmetic without I/O or clock."""

from __future__ import annotations

__all__ = ["Pace"]

SHORTEST = 0.002
LONGEST = 0.020
# librdkafka's own pause (rdkafka_txnmgr.c): a small batch that took this long was retried once.
_RETRIED = 0.020
_SMALL = 100
_DECAY = 63 / 64


class Pace:
    """The pause of one shard.

    A commit is acknowledged before the broker has written the transaction's markers. Until it has,
    the next transaction is refused with CONCURRENT_TRANSACTIONS, and librdkafka retries only 20 ms
    later. So a shard pauses after each commit, while further rows queue up. The pause doubles
    after a retry and shrinks slowly without one, so that about one transaction in fifty is
    retried.
    """

    def __init__(self) -> None:
        self.pause = SHORTEST

    def took(self, records: int, seconds: float) -> None:
        """A batch of `records` was acknowledged `seconds` after its transaction began."""
        if records > _SMALL:
            return
        if seconds >= _RETRIED:
            self.pause = min(self.pause * 2, LONGEST)
        else:
            self.pause = max(self.pause * _DECAY, SHORTEST)
