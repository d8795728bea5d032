"""Which of an event's records a group handles, when it is published under several major versions.

Each event comes to a group once, however far the group is with its move from one major version to
the next: under the version that it has a handler for where such a record was read, and otherwise
converted from the original. So a group that moves misses nothing that was published before the new
version was, parked or dead-lettered under the old one, written while nobody converted it, or
published as a copy that its former members had skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from relay.consume.record import Record
from relay.kafka import headers
from relay.schema.catalog import Catalog
from relay.schema.majors.converters import conversion, payload_decoder

__all__ = ["Bridge", "Majors"]


@dataclass(frozen=True, slots=True)
class Bridge:
    """From an event type that a group has no handler for to another major version that it has.

    schema: of the current version of `source`, which the converter reads; what that can't read is
    converted as it was written.
    """

    source: str
    target: str
    schema: dict[str, Any]
    convert: Callable[[Any], Any]

    def read(self, writer: dict[str, Any], encoded: bytes) -> Any:
        """Natural JSON in the shape of `target`; raises PayloadInvalid."""
        return self.convert(payload_decoder(writer, self.schema)(encoded))


class Majors:
    """The records that one group handles. Safe for several threads."""

    def __init__(self, handled: set[str], bridges: dict[str, Bridge]) -> None:
        """handled: event types with a handler. bridges: by event type without one."""
        self._handled = handled
        self._bridges = bridges

    @classmethod
    def of(cls, catalog: Catalog, handled: set[str]) -> Majors:
        """Of the catalog; of several handled versions the newest one bridges.

        Raises SchemaUnknown for an event type that the catalog lacks, CatalogInvalid for a
        converter that can't be run.
        """
        bridges = {}
        for target in sorted(handled, key=lambda name: catalog.event_type(name).major):
            for event_type in catalog.family(target):
                if event_type.name in handled or event_type.current is None:
                    continue
                bridges[event_type.name] = Bridge(
                    event_type.name,
                    target,
                    event_type.current.avsc,
                    conversion(catalog, event_type.name, target),
                )
        return cls(handled, bridges)

    def bridge(self, event_type: str) -> Bridge | None:
        """How records of an event type without a handler are read; None: not at all."""
        return self._bridges.get(event_type)

    def takes(self, record: Record, copied: set[str], *, replay: bool) -> bool:
        """Whether a record is for this group; one that names no type has to be decoded first.

        copied: ids of events of the record's partition of which this member took a copy, until
        their originals come; kept up here. An original whose copy is not among them is taken: the
        group's offset can stand between the two, committed by a member that knew only the
        original's version and had skipped the copy. The inbox protects a group that had handled the
        copy.
        replay: it was set aside by this group once, so whatever was published beside it is past;
        also one that only members with other code have a handler for, since nobody reads it again.
        """
        event_type = record.event_type
        if replay or event_type is None:
            return True
        original_type = record.header(headers.ORIGINAL_TYPE)
        if original_type is None:
            if record.event_id in copied:
                copied.discard(record.event_id)
                return False
            return event_type in self._handled or event_type in self._bridges
        # With handlers for both, the original is the one that is handled.
        wanted = (
            event_type in self._handled
            and original_type not in self._handled
            and record.event_id not in copied
        )
        if wanted:
            copied.add(record.event_id)
        return wanted
