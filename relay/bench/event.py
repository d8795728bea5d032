"""The event of the measurements: an order of about 308 bytes per row if SQL wrote it.

Its second major version, for the scenario with copies, renames one field.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from relay.schema.avro.encoder import compile_encoder
from relay.schema.avro.fingerprint import rabin

__all__ = ["AGGREGATE_TYPE", "EVENT_TYPE", "backlog", "payload", "write_catalog"]

EVENT_TYPE = "order.placed"
AGGREGATE_TYPE = "order"

_CHANNELS = ["WEB", "STORE", "PHONE", "MARKETPLACE", "OTHER"]
_CHANNEL: dict[str, Any] = {
    "type": "enum",
    "name": "Channel",
    "symbols": _CHANNELS,
    "default": "OTHER",
}
_MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}
_FIELDS: list[dict[str, Any]] = [
    {"name": "customerId", "type": "string"},
    {"name": "channel", "type": _CHANNEL},
    {"name": "total", "type": _MONEY},
    {"name": "currency", "type": "string"},
    {"name": "placedAt", "type": {"type": "long", "logicalType": "timestamp-millis"}},
]
_CONVERTER = """
def up(placed):
    moved = dict(placed)
    moved["orderedAt"] = moved.pop("placedAt")
    return moved


def down(placed):
    moved = dict(placed)
    moved["placedAt"] = moved.pop("orderedAt")
    return moved
"""


def schema(domain: str) -> dict[str, Any]:
    """Returns the event's Avro schema in a domain's namespace."""
    return {
        "type": "record",
        "name": "OrderPlaced",
        "namespace": f"relay.events.{domain}",
        "fields": _FIELDS,
    }


def second_schema(domain: str) -> dict[str, Any]:
    """Returns the schema of the second major version."""
    fields = [*_FIELDS[:-1], {**_FIELDS[-1], "name": "orderedAt"}]
    return {**schema(domain), "name": "OrderPlacedV2", "fields": fields}


def write_catalog(
    folder: Path, domain: str, partitions: int, *, copies: bool = False, group: str | None = None
) -> None:
    """Writes a catalog whose only event type is EVENT_TYPE of `domain`.

    copies: add its second major version, so that each event is published under both. group: a
    consumer group that it is for.
    """
    target = folder / domain
    target.mkdir(parents=True)
    entry: dict[str, Any] = {"aggregate": AGGREGATE_TYPE, "versions": {1: "active"}}
    if group is not None:
        entry["consumers"] = [group]
    events = {EVENT_TYPE: entry}
    (target / f"{EVENT_TYPE}.v1.avsc").write_text(json.dumps(schema(domain)))
    if copies:
        second = f"{EVENT_TYPE}.v2"
        events[second] = {**entry, "replaces": EVENT_TYPE}
        (target / f"{second}.v1.avsc").write_text(json.dumps(second_schema(domain)))
        (target / f"{second.replace('.', '_')}.py").write_text(_CONVERTER)
    content = {
        "domain": domain,
        "owner": "relay bench",
        "partitions": partitions,
        "events": events,
    }
    (target / "domain.yaml").write_text(yaml.safe_dump(content))


def payload(number: int) -> dict[str, Any]:
    """Returns the payload of the event with this number."""
    second = number % 60
    return {
        "customerId": f"customer-{number * 7919 % 100_003:06d}",
        "channel": _CHANNELS[number % 5],
        "total": f"{number % 977}.{number % 100:02d}",
        "currency": "EUR",
        "placedAt": f"2026-03-01T12:{number // 60 % 60:02d}:{second:02d}.{number % 1000:03d}Z",
    }


def backlog(domain: str, rows: int, aggregates: int, *, avro: bool) -> Iterator[str]:
    """Yields lines for copy_backlog.sql, one per event.

    aggregates: events are spread over so many. avro: include the Avro bytes.
    """
    avro_schema = schema(domain)
    encode, fingerprint = compile_encoder(avro_schema), rabin(avro_schema).hex()
    for number in range(rows):
        content = payload(number)
        event_id = f"b{number:023d}"
        encoded = (
            f"1\t\\\\x{fingerprint}\t\\\\x{encode(content).hex()}" if avro else "\\N\t\\N\t\\N"
        )
        yield (
            f"{event_id}\t{EVENT_TYPE}\t{AGGREGATE_TYPE}\torder-{number % aggregates:06d}\t"
            f"{json.dumps(content)}\t"
            f'{{"correlationId": "{event_id}"}}\t2026-03-01 12:00:00.{number % 1_000_000:06d}+00\t'
            f"{encoded}\n"
        )
