"""The group `readers` of the tests' catalogs, as a module for EVENT_BUS_CONSUMERS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from relay.consume import Context, Group
from relay.events import DomainEvent
from tests.relaying import SCHEMA_FIELDS

readers = Group("readers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted(DomainEvent):
    """The event type of the tests' catalogs."""

    EVENT_TYPE: ClassVar[str] = "counted"
    AGGREGATE_TYPE: ClassVar[str] = "counter"
    SCHEMA: ClassVar[dict[str, Any]] = {
        "type": "record",
        "name": "Counted",
        "namespace": "relay.events.tests",
        "fields": SCHEMA_FIELDS,
    }

    number: int
    note: str = ""


@readers.handles(Counted)
def read(event: Counted, context: Context) -> None:
    """Has no effect."""
