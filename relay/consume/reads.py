"""Which schema versions a group decodes: remembered in memory, written every few seconds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any, Final

from relay.consume.session import Sessions, Stopped
from relay.postgres.sqlfile import load
from relay.schema.approvals.affected import schema_digest
from relay.schema.avro.fingerprint import rabin
from relay.schema.avro.names import record_name

__all__ = ["Reads", "ReadsWriter"]

log = logging.getLogger(__name__)

WRITE_EVERY_S: Final = 3.0

# event type, topic, schema id
DecodedKind = tuple[str, str, int]


class Reads:
    """The versions decoded since the last `take`. Any thread may call any method."""

    def __init__(self) -> None:
        # Each operation on the dict is atomic in CPython.
        self._seen: dict[DecodedKind, dict[str, Any]] = {}

    def note(self, event_type: str, topic: str, schema_id: int, writer: dict[str, Any]) -> None:
        """An event was decoded. topic: the domain's. writer: the schema it was written with."""
        self._seen[event_type, topic, schema_id] = writer

    def take(self) -> dict[DecodedKind, dict[str, Any]]:
        """All notes since the last call, with the writers' schemas."""
        taken = list(self._seen)
        # A note that is overwritten meanwhile is covered by the write that follows.
        return {kind: self._seen.pop(kind) for kind in taken}

    def give_back(self, taken: dict[DecodedKind, dict[str, Any]]) -> None:
        """Returns notes that could not be written: the next `take` has them again."""
        for kind, writer in taken.items():
            self._seen.setdefault(kind, writer)


class ReadsWriter(threading.Thread):
    """Writes what was decoded to `inbox.decoded`; owns its session. No event waits for it, and
    its errors are logged and never reach a handler.
    """

    def __init__(self, group: str, reads: Reads, sessions: Sessions) -> None:
        super().__init__(name=f"{group} reads", daemon=True)
        self._group = group
        self._reads = reads
        self._session = sessions.new("reads")
        self._ending = threading.Event()

    def run(self) -> None:
        """The thread: writes until the end, and once more then."""
        try:
            while not self._ending.wait(WRITE_EVERY_S):
                self._write()
            self._write()
        except Stopped:
            log.info("%s: the last reads were not recorded, the database is unavailable", self.name)
        finally:
            self._session.close()

    def end(self, seconds: float) -> None:
        """Ends the thread, after a last write if that takes no longer than `seconds`."""
        self._ending.set()
        if self.is_alive():
            self.join(seconds)

    def _write(self) -> None:
        taken = self._reads.take()
        if not taken:
            return
        try:
            parameters = {"group": self._group, **_columns(sorted(taken), taken)}
            self._session.run(
                lambda connection: connection.execute(
                    load(__package__, "note_decoded.sql"), parameters
                )
            )
        except Stopped:
            raise
        except Exception as error:
            self._reads.give_back(taken)
            log.warning("%s: what was decoded is not recorded: %s", self.name, error)


def _columns(
    kinds: Sequence[DecodedKind], writers: dict[DecodedKind, dict[str, Any]]
) -> dict[str, list[Any]]:
    """Parameters of the statement, in one order for all members of a group: they lock rows."""
    schemas = [writers[kind] for kind in kinds]
    return {
        "event_types": [event_type for event_type, _, _ in kinds],
        "subjects": [
            f"{topic}-{record_name(schema)}"
            for (_, topic, _), schema in zip(kinds, schemas, strict=True)
        ],
        "schema_ids": [schema_id for _, _, schema_id in kinds],
        "fingerprints": [rabin(schema) for schema in schemas],
        "digests": [schema_digest(schema) for schema in schemas],
    }
