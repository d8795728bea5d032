"""Rows as a service may write them by SQL: by outbox.publish or straight into the table."""

from __future__ import annotations

import json
from random import Random
from typing import Any, NamedTuple

from tests.fuzz.values import fitting, odd, odd_string

__all__ = ["LIMIT", "SCHEMAS", "Statement", "statement"]

# max.message.bytes of the topic, so that sizes around it stay cheap.
LIMIT = 40_000

_OPTIONAL: dict[str, Any] = {
    "b": "boolean", "i": "int", "l": "long", "f": "float", "d": "double", "raw": "bytes",
    "fix": {"type": "fixed", "name": "Four", "size": 4},
    "color": {"type": "enum", "name": "Color", "symbols": ["RED", "GREEN"]},
    "amount": {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 2},
    "uuid": {"type": "string", "logicalType": "uuid"},
    "day": {"type": "int", "logicalType": "date"},
    "hour": {"type": "int", "logicalType": "time-millis"},
    "micros": {"type": "long", "logicalType": "timestamp-micros"},
    "millis": {"type": "long", "logicalType": "timestamp-millis"},
    "list": {"type": "array", "items": "long"},
    "map": {"type": "map", "values": ["null", "double", "string"]},
}  # fmt: skip
# Fields by event type; `counted` is in every tested catalog.
SCHEMAS: dict[str, list[dict[str, Any]]] = {
    "everything": [
        {"name": name, "type": ["null", kind], "default": None} for name, kind in _OPTIONAL.items()
    ],
    "paid": [{"name": "amount", "type": _OPTIONAL["amount"]}],
    "tree": [
        {
            "name": "root",
            "type": {
                "type": "record",
                "name": "Branch",
                "fields": [
                    {"name": "name", "type": "string"},
                    {"name": "parts", "type": {"type": "array", "items": "Branch"}, "default": []},
                ],
            },
        }
    ],
}
_BRANCH: dict[str, Any] = {"type": "record", "fields": [{"name": "name", "type": "string"}]}
_BRANCH["fields"].append(
    {"name": "parts", "type": {"type": "array", "items": _BRANCH}, "default": []}
)
# What payloads are made from.
_RECORDS: dict[str, dict[str, Any]] = {
    "counted": {
        "type": "record",
        "fields": [{"name": "number", "type": "long"}, {"name": "note", "type": "string"}],
    },
    "everything": {"type": "record", "fields": SCHEMAS["everything"]},
    "paid": {"type": "record", "fields": SCHEMAS["paid"]},
    "tree": {"type": "record", "fields": [{"name": "root", "type": _BRANCH}]},
}
_TIMES = (
    *("infinity", "-infinity", "20000-01-01", "10000-01-01 00:00+00", "0044-03-15 12:00 BC"),
    *("4713-01-01 00:00+00 BC", "0001-01-01 00:00+00", "0001-01-01 00:00+14", "epoch", "nonsense"),
    *("9999-12-31 23:59:59.999999+00", "9999-12-31 23:59:59-12", "294276-12-31", "now"),
)
_AGGREGATES = (
    *("", " ", "a" * 1024, "a" * 1025, "a" * 10_000, "\x01\x02\n\t\r\x7f", "\\N", "\\."),
    *("../..", "/"),
    *("\u202e", "\U0001f600" * 256, "null", "0", "a\x00b", '"', "'", "%s", "\ufeff"),
)  # fmt: skip
_TYPES = ("", "nobody.knows", "counted.v2", "x" * 1024, "Counted", "\u0441ounted", "\x01")
_KNOWN = ("actorId", "correlationId", "causationId", "sourceModule", "traceparent", "tracestate")
_IDS = ("", " ", "/", "i" * 255, "i" * 3000, "\x01\n", "\U0001f600", "one/events.x-y.Z", "%s")
_VERSIONS = (1, 1, 1, 2, 99, 2**31 - 1, 0, -1)

PUBLISH = """select outbox.publish(
    %(event_type)s, %(aggregate_type)s, %(aggregate_id)s, %(payload)s::text::jsonb,
    %(metadata)s::text::jsonb, %(occurred_at)s::text::timestamptz)"""
INSERT = """insert into outbox.domain_events ({columns}) values ({values})"""
_CASTS = {
    "payload": "::text::jsonb", "metadata": "::text::jsonb", "occurred_at": "::text::timestamptz",
    "created_at": "::text::timestamptz", "schema_version": "::bigint",
}  # fmt: skip


class Statement(NamedTuple):
    """One SQL statement that writes a row, with its parameters."""

    query: str
    parameters: dict[str, Any]


def statement(seed: int, number: int, fingerprint: bytes) -> Statement:
    """Row `number` of a seed; it depends on nothing else.

    fingerprint: of the schema of `counted`.
    """
    random = Random(f"{seed}/{number}")
    event_type = random.choice(tuple(_RECORDS))
    row: dict[str, Any] = {
        "event_type": event_type,
        "aggregate_type": "counter",
        "aggregate_id": f"a{random.randrange(50)}" if random.random() < 0.2 else f"own-{number}",
        "payload": _payload(random, event_type),
        "metadata": _metadata(random),
        "occurred_at": random.choice(_TIMES) if random.random() < 0.1 else None,
    }
    if random.random() < 0.03:
        row["aggregate_id"] = random.choice(_AGGREGATES)
    if random.random() < 0.02:
        row["aggregate_type"] = random.choice(("", "Counter", "order", "t" * 1024, "\x01"))
    if random.random() < 0.02:
        row["event_type"] = random.choice(_TYPES)
    if random.random() < 0.005:
        row[random.choice(tuple(row))] = None
    if random.random() < 0.5:
        return Statement(PUBLISH, row)
    return _insert(random, row, fingerprint)


def _insert(random: Random, row: dict[str, Any], fingerprint: bytes) -> Statement:
    """The same row, past outbox.publish, with columns that only an insert has."""
    row = {name: value for name, value in row.items() if value is not None}
    if random.random() < 0.2:
        row["schema_version"] = random.choice(_VERSIONS)
    if random.random() < 0.03:
        row["id"] = random.choice(_IDS)
    if random.random() < 0.02:
        row["created_at"] = random.choice(_TIMES)
    if random.random() < 0.05:
        row["avro"] = random.randbytes(random.randrange(60))
        row["fingerprint"] = fingerprint if random.random() < 0.5 else random.randbytes(8)
        row["schema_version"] = random.choice(_VERSIONS)
    values = ", ".join(f"%({name})s{_CASTS.get(name, '')}" for name in row)
    return Statement(INSERT.format(columns=", ".join(row), values=values), row)


def _payload(random: Random, event_type: str) -> str:
    if random.random() < 0.15:
        return odd(random)
    if random.random() < 0.02:
        # Metadata and headers take their share, so both sides of the limit occur.
        length = LIMIT + random.randrange(-1500, 200)
        return f'{{"number": 1, "note": "{"n" * length}"}}'
    return fitting(random, _RECORDS[event_type])


def _metadata(random: Random) -> str | None:
    chance = random.random()
    if chance < 0.6:
        return "{}"
    if chance < 0.7:
        return odd(random)
    pairs = (f'"{random.choice(_KNOWN)}": {_value(random)}' for _ in range(random.randrange(4)))
    return f"{{{', '.join(pairs)}}}"


def _value(random: Random) -> str:
    return odd(random, 1) if random.random() < 0.2 else json.dumps(odd_string(random))
