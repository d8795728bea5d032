"""A second major version of the event type `counted`, for tests of relay and consumers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import yaml

from relay.schema.catalog import Catalog, State
from relay.schema.client.client import RegistryClient
from tests.integration.reviewing import bring
from tests.relaying import Relay

__all__ = ["CONVERTER", "activate_major", "activate_version", "add_major", "add_version", "copy_id"]

FIELDS = [
    {"name": "count", "type": "long", "doc": "counts within the aggregate"},
    {"name": "label", "type": "string", "default": "", "doc": "free text"},
]
CONVERTER = """
def up(payload):
    if payload["note"] == "unconvertible":
        raise ValueError("nobody knows what that is now")
    return {"count": payload["number"], "label": payload["note"]}


def down(payload):
    return {"number": payload["count"], "note": payload["label"]}
"""


def add_major(schemas: Path, domain: str, converter: str = CONVERTER) -> None:
    """Adds counted.v2 to a catalog, which its group `readers` reads instead of counted."""
    folder = schemas / domain
    content = yaml.safe_load((folder / "domain.yaml").read_text())
    content["events"]["counted.v2"] = {
        "replaces": "counted",
        "aggregate": "counter",
        "versions": {1: "active"},
        "consumers": content["events"]["counted"]["consumers"],
    }
    (folder / "domain.yaml").write_text(yaml.safe_dump(content))
    (folder / "counted.v2.v1.avsc").write_text(
        json.dumps(
            {
                "type": "record",
                "name": "CountedV2",
                "namespace": f"relay.events.{domain}",
                "fields": FIELDS,
            }
        )
    )
    (folder / "counted_v2.py").write_text(converter)


def add_version(schemas: Path, domain: str, *fields: dict[str, Any]) -> None:
    """Adds version 2 of counted to a catalog whose level is FORWARD, with further fields.

    Version 1 becomes deprecated.
    """
    folder = schemas / domain
    content = yaml.safe_load((folder / "domain.yaml").read_text())
    content["compatibility"] = "FORWARD"
    content["events"]["counted"]["versions"] = {1: "deprecated", 2: "active"}
    (folder / "domain.yaml").write_text(yaml.safe_dump(content))
    schema = json.loads((folder / "counted.v1.avsc").read_text())
    (folder / "counted.v2.avsc").write_text(
        json.dumps({**schema, "fields": [*schema["fields"], *fields]})
    )


def activate_version(relay: Relay, *fields: dict[str, Any]) -> None:
    """Adds version 2 of counted to a relay's catalog and makes it the active one."""
    add_version(relay.folder / "schemas", relay.domain, *fields)
    _decide(relay, "counted", 2, State.ACTIVE, "FORWARD")


def activate_major(relay: Relay, state: State = State.ACTIVE, converter: str = CONVERTER) -> None:
    """Adds counted.v2 to a relay's catalog and brings it to a state of its review."""
    add_major(relay.folder / "schemas", relay.domain, converter)
    _decide(relay, "counted.v2", 1, state)


def _decide(
    relay: Relay, event_type: str, number: int, state: State, level: str = "BACKWARD"
) -> None:
    version = Catalog.load(relay.folder / "schemas").version(event_type, number)
    with RegistryClient(relay.settings().schema_registry_url) as registry:
        registry.set_compatibility(version.subject, level)
        registry.register(version.subject, version.text)
    with psycopg.connect(relay.database_url, autocommit=True) as connection:
        bring(connection, version, state)


def copy_id(relay: Relay, event_id: str, record_name: str = "CountedV2") -> str:
    """ce_id of an event's copy: its id and the copy's subject."""
    return f"{event_id}/{relay.topic}-relay.events.{relay.domain}.{record_name}"
