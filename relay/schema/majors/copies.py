"""Copies of an event under its other major versions, while these are in use.

A row is published under its own event type and, in the same transaction and partition, under every
other major version of it that has readers: converted, with an id of its own. Copies lie before
their original, so that whoever finds an original has seen its copies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from relay.errors import CatalogInvalid
from relay.schema.approvals.store import KnownVersion
from relay.schema.avro.encoder import compile_encoder
from relay.schema.catalog import Catalog, EventType, SchemaVersion
from relay.schema.catalog.entries import major_of
from relay.schema.majors.converters import conversion, payload_decoder

__all__ = ["Copy", "converter", "number_of"]


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
    """Returns which copy a record is, by its headers ce_originalid and ce_type; 0: the original."""
    return major_of((event_type or b"").decode(errors="replace")) if original_id else 0


def converter(
    catalog: Catalog,
    source: EventType,
    current: SchemaVersion | KnownVersion | None,
    writer: Mapping[str, Any],
    target: KnownVersion,
) -> Callable[[bytes], bytes]:
    """Returns the function from Avro of `writer` to Avro of `target`.

    current: the version of the source whose payloads are converted. writer: schema of one of its
    versions; what the current one can't read is converted as it was written. Raises CatalogInvalid.
    """
    if current is None:
        raise CatalogInvalid(
            f"event type {source.name!r} has no approved version to convert by. "
            "Correct its states in domain.yaml"
        )
    decode = payload_decoder(dict(writer), current.avsc)
    convert = conversion(catalog, source.name, target.event_type)
    encode = compile_encoder(target.avsc)
    return lambda encoded: encode(convert(decode(encoded)))
