"""Copies of an event under its other major versions, while these are in use.

A row is published under its own event type and, in the same transaction and partition, under every
other major version of it that has readers: converted, with an id of its own. Copies lie before
their original, so that whoever finds an original has seen its copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from relay.errors import CatalogInvalid
from relay.schema.approvals.store import Decision
from relay.schema.avro.encoder import compile_encoder
from relay.schema.catalog import Catalog, EventType, SchemaVersion, State
from relay.schema.catalog.entries import major_of
from relay.schema.majors.converters import conversion
from relay.schema.majors.payloads import payload_decoder

__all__ = ["Copy", "converter", "in_use", "number_of"]


@dataclass(frozen=True, slots=True)
class Copy:
    """One more subject that the rows of a route are published under.

    number: as in outbox.deliveries, the major version. frame: the five bytes before the Avro
    value. convert: from Avro of the row's schema to Avro of the copy's; raises PayloadInvalid.
    """

    number: int
    event_type: str
    subject: str
    frame: bytes
    convert: Callable[[bytes], bytes]

    def id_of(self, event_id: str) -> str:
        """The copy's own id: readers of several subjects would drop it as a duplicate (H35)."""
        return f"{event_id}/{self.subject}"


def number_of(original_id: bytes | None, event_type: bytes | None) -> int:
    """Which copy a record is, by its headers ce_originalid and ce_type; 0: the original."""
    return major_of((event_type or b"").decode(errors="replace")) if original_id else 0


def in_use(versions: Iterable[SchemaVersion | Decision]) -> SchemaVersion | Decision | None:
    """The version that copies are written under: the active one, else the newest deprecated."""
    by_state: dict[State, SchemaVersion | Decision] = {v.state: v for v in versions}
    return by_state.get(State.ACTIVE) or by_state.get(State.DEPRECATED)


def converter(
    catalog: Catalog,
    source: EventType,
    current: SchemaVersion | Decision | None,
    writer: Mapping[str, Any],
    target: SchemaVersion | Decision,
) -> Callable[[bytes], bytes]:
    """The function from Avro that was written with `writer` to Avro of `target`.

    current: the version of the source whose payloads are converted. writer: schema of one of its
    versions; what the current one can't read is converted as it was written. Raises CatalogInvalid.
    """
    if current is None:
        raise CatalogInvalid(
            f"event type {source.name!r} has no version past review, so nothing converts it. "
            "Correct its states in domain.yaml"
        )
    decode = payload_decoder(dict(writer), current.avsc)
    convert = conversion(catalog, source.name, target.event_type)
    encode = compile_encoder(target.avsc)
    return lambda encoded: encode(convert(decode(encoded)))
