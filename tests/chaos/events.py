"""The events of the chaos runs, and the catalog that the relay reads them from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml

from relay.events import DomainEvent
from tests.chaos.fates import GROUPS

__all__ = ["TOPICS", "Copied", "Posted", "write_catalog"]

# Domain -> its number of partitions.
_DOMAINS = {"accounts": 4, "mirrors": 3}
TOPICS = tuple(f"events.{domain}" for domain in _DOMAINS)


def _schema(domain: str, name: str, fields: dict[str, str]) -> dict[str, Any]:
    return {
        "type": "record",
        "name": name,
        "namespace": f"relay.events.{domain}",
        "fields": [{"name": field, "type": kind} for field, kind in fields.items()],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted(DomainEvent):
    """A writer's event. number: counts the account's events. note: of any length."""

    EVENT_TYPE: ClassVar[str] = "posted"
    AGGREGATE_TYPE: ClassVar[str] = "account"
    SCHEMA: ClassVar[dict[str, Any]] = _schema(
        "accounts", "Posted", {"number": "long", "note": "string"}
    )

    number: int
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied(DomainEvent):
    """A handler's event, published in the transaction of its effects. of: id of the Posted."""

    EVENT_TYPE: ClassVar[str] = "copied"
    AGGREGATE_TYPE: ClassVar[str] = "mirror"
    SCHEMA: ClassVar[dict[str, Any]] = _schema(
        "mirrors", "Copied", {"number": "long", "of": "string"}
    )

    number: int
    of: str


def write_catalog(folder: Path) -> None:
    """Writes the domains with their event types."""
    for domain, event in zip(_DOMAINS, (Posted, Copied), strict=True):
        (folder / domain).mkdir(parents=True)
        entry = {
            "aggregate": event.AGGREGATE_TYPE,
            "versions": {1: "active"},
            "consumers": [group for group, types in GROUPS.items() if event.EVENT_TYPE in types],
        }
        (folder / domain / "domain.yaml").write_text(
            yaml.safe_dump(
                {
                    "domain": domain,
                    "owner": "Tests",
                    "partitions": _DOMAINS[domain],
                    "events": {event.EVENT_TYPE: entry},
                }
            )
        )
        (folder / domain / f"{event.EVENT_TYPE}.v1.avsc").write_text(json.dumps(event.SCHEMA))
