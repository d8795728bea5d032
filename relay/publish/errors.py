"""The errors that end a shard's producer: the shard is then taken over again."""

from __future__ import annotations

from relay.unavailable import Server

__all__ = ["CommitResent", "Fenced", "OutcomeUnknown", "RecordRefused"]


class OutcomeUnknown(Exception):
    """Only the positions topic can show whether the batch is published.

    server: the one that is unavailable, where that is the reason.
    """

    def __init__(self, reason: str, server: Server | None = None) -> None:
        super().__init__(reason)
        self.server = server


class CommitResent(OutcomeUnknown):
    """The batch is published, but a second copy of its commit may still arrive (H39)."""


class RecordRefused(OutcomeUnknown):
    """The broker refused a batch of records; one of them may be the reason.

    of_topic: the topic does not exist or may not be written to, so no record is the reason.
    """

    def __init__(self, reason: str, of_topic: bool) -> None:
        super().__init__(reason)
        self.of_topic = of_topic


class Fenced(Exception):
    """Another worker has taken the shard over; nothing was written."""
