"""What ends a shard's producer: the shard is then taken over again."""

from __future__ import annotations

from typing import Literal

__all__ = ["CommitResent", "Doubt", "Refused", "Server"]

Server = Literal["kafka", "database"]


class Doubt(Exception):
    """Nobody but the positions topic knows whether the batch is published.

    server: which one is unavailable, where that is the reason.
    """

    def __init__(self, reason: str, server: Server | None = None) -> None:
        super().__init__(reason)
        self.server = server


class CommitResent(Doubt):
    """The batch is published, but a copy of its commit may still arrive (H39)."""


class Refused(Doubt):
    """The broker refused a batch of records; one of them may be to blame.

    gone: the topic does not exist (any more), so no record is to blame.
    """

    def __init__(self, reason: str, gone: bool) -> None:
        super().__init__(reason)
        self.gone = gone
