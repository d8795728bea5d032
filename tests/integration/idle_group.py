"""The group `readers` of the tests' catalogs, as a module for EVENT_BUS_CONSUMERS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from relay.consume import Context, Group
from relay.events import DomainEvent
from relay.schema.avro.fingerprint import rabin
from tests.relaying import SCHEMA_FIELDS

readers = Group("readers")

_SCHEMA = {
    "type": "record",
    "name": "Counted",
    "namespace": "relay.events.tests",
    "fields": SCHEMA_FIELDS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted(DomainEvent):
    """The event type of the tests' catalogs."""

    EVENT_TYPE: ClassVar[str] = "counted"
    SCHEMA_VERSION: ClassVar[int] = 1
    AGGREGATE_TYPE: ClassVar[str] = "counter"
    SCHEMA: ClassVar[dict[str, Any]] = _SCHEMA
    FINGERPRINT: ClassVar[bytes] = rabin(_SCHEMA)
    JSON_FIELDS: ClassVar[dict[str, str]] = {"number": "number", "note": "note"}

    number: int
    note: str = ""

    @classmethod
    def from_json(cls, payload: Any, **rest: Any) -> Self:
        return cls(number=payload["number"], note=payload["note"], **rest)


@readers.handles(Counted)
def read(event: Counted, context: Context) -> None:
    """Has no effect."""
