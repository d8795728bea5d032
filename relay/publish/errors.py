"""What ends a shard's producer: the shard is then taken over again."""

from __future__ import annotations

from typing import Literal

__all__ = ["CommitResent", "Fenced", "OutcomeUnknown", "Refused", "Server"]

Server = Literal["kafka", "database"]


class OutcomeUnknown(Exception):
    """Whether the batch is published is known from the positions topic only.

    server: which one is unavailable, where that is the reason.
    """

    def __init__(self, reason: str, server: Server | None = None) -> None:
        super().__init__(reason)
        self.server = server


class CommitResent(OutcomeUnknown):
    """The batch is published, but a copy of its commit may still arrive (H39)."""


class Refused(OutcomeUnknown):
    """The broker refused a batch of records; one of them may be the reason.

    gone: the topic does not exist (any more), so no record is the reason.
    """

    def __init__(self, reason: str, gone: bool) -> None:
        super().__init__(reason)
        self.gone = gone


class Fenced(Exception):
    """Another worker has taken the shard over; nothing was written."""
