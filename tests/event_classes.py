"""Classes of events for schemas that a test makes while it runs."""

from __future__ import annotations

from dataclasses import make_dataclass
from typing import Any

from relay.events import DomainEvent

__all__ = ["event_class_of"]


def event_class_of(schema: dict[str, Any], event_type: str = "counted") -> Any:
    """What would be generated for a schema whose fields' names are one word each."""
    return make_dataclass(
        schema["name"],
        [(field["name"], Any) for field in schema["fields"]],
        bases=(DomainEvent,),
        namespace={"EVENT_TYPE": event_type, "AGGREGATE_TYPE": "counter", "SCHEMA": schema},
        frozen=True,
        slots=True,
        kw_only=True,
    )
