"""Events whose handlers kill the process: each attempt is noted before it begins (H43).

A handler that crashes the interpreter, or needs so much memory that the system kills the process,
leaves no failed attempt behind. After a process has died its successors handle the first events
one by one, and note each of them beforehand.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from relay.consume.failures import Failure, Fatal
from relay.consume.record import Record
from relay.consume.session import Session, Stopped
from relay.postgres.sqlfile import load

__all__ = ["Deaths"]

log = logging.getLogger(__name__)

# Someone may kill a process twice while it handles one event; hardly three times.
LEAST_DEATHS: Final = 3


@dataclass(frozen=True)
class Deaths:
    """Counts in how many processes the handler of an event was the last thing that happened.

    most: so many are the event's failure.
    """

    group: str
    most: int

    @classmethod
    def of(cls, group: str, max_attempts: int) -> Deaths:
        """Each death is an attempt, but a few are needed to blame the event."""
        return cls(group, max(max_attempts, LEAST_DEATHS))

    @contextmanager
    def noted(self, session: Session, record: Record) -> Iterator[int]:
        """Notes that an event is about to be handled, until the block ends; yields how many
        processes have ended with such a note. Raises Stopped."""
        given = {"group": self.group, "event_id": record.event_id}
        begun = session.run(
            lambda connection: connection.execute(
                load(__package__, "note_begun.sql"), given
            ).fetchone()
        )
        assert begun is not None
        deaths = begun[0] - 1
        if deaths:
            log.warning(
                "%d processes have ended while event %s was handled", deaths, record.event_id
            )
        try:
            yield deaths
        finally:
            # Where the database is away the note stays, and may count as one death too many.
            with suppress(Stopped):
                session.run(
                    lambda connection: connection.execute(
                        load(__package__, "forget_begun.sql"), given
                    )
                )

    def forget_settled(self, session: Session) -> None:
        """Takes back notes of events that were handled right before their process ended. Raises
        Stopped."""
        session.run(
            lambda connection: connection.execute(
                load(__package__, "forget_settled.sql"), {"group": self.group}
            )
        )

    def failure(self, deaths: int) -> Failure:
        """Of an event that has killed so many processes."""
        return Failure.of(
            "handle",
            Fatal(
                f"{deaths} processes have ended while the event was handled. Look for what killed "
                "them: a crash in a library, or too much memory"
            ),
        )
