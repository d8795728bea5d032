"""AsyncAPI's messages: every published schema version as event, dead letter and replay."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from relay.kafka.headers import CORRELATION_ID, EVENT_TYPE
from relay.schema.catalog import Domain, EventType, SchemaVersion, State
from relay.schema.export.wire import headers_schema

__all__ = ["MessageKind", "components", "message_name", "published_versions"]

AVRO = "application/vnd.apache.avro;version=1.9.0"


class MessageKind(StrEnum):
    """MessageKind of record that has an event; the value is the suffix of the message's name."""

    EVENT = ""
    DEAD_LETTER = ".dead-letter"
    REPLAY = ".replay"


# The end of a message's title, and the names of its headers' schemas.
_TITLES = {
    MessageKind.EVENT: "",
    MessageKind.DEAD_LETTER: ", dead letter",
    MessageKind.REPLAY: ", replay",
}
_HEADERS = {
    MessageKind.EVENT: ("eventHeaders",),
    MessageKind.DEAD_LETTER: ("eventHeaders", "deadLetterHeaders"),
    MessageKind.REPLAY: ("eventHeaders", "replayHeaders"),
}


def published_versions(event_type: EventType) -> list[SchemaVersion]:
    """Returns the versions that are or were published: active and deprecated ones."""
    return [v for v in event_type.versions.values() if v.state.is_publishable]


def message_name(version: SchemaVersion, kind: MessageKind = MessageKind.EVENT) -> str:
    """order.paid.v1, order.paid.v1.dead-letter, order.paid.v1.replay."""
    return f"{version.event_type}.v{version.version}{kind}"


def components(domains: Iterable[Domain]) -> dict[str, Any]:
    """Returns AsyncAPI's Components Object with all that messages need."""
    schemas = headers_schema()
    messages: dict[str, Any] = {}
    for domain in domains:
        for event_type in domain.event_types.values():
            for version in published_versions(event_type):
                name = message_name(version)
                schemas[name] = {"schemaFormat": AVRO, "schema": version.avsc}
                for kind in MessageKind if event_type.groups else (MessageKind.EVENT,):
                    messages[f"{name}{kind}"] = _message(domain, event_type, version, kind)
    return {
        "messages": messages,
        "schemas": schemas,
        "messageTraits": {"record": _trait()},
        "correlationIds": {
            "correlation": {
                "description": "The event that it all began with.",
                "location": f"$message.header#/{CORRELATION_ID}",
            }
        },
    }


def _trait() -> dict[str, Any]:
    return {
        "contentType": "application/avro",
        "correlationId": {"$ref": "#/components/correlationIds/correlation"},
        "bindings": {
            "kafka": {
                "key": {
                    "type": "string",
                    "description": "Id of the aggregate, UTF-8. Order is kept within a key.",
                },
                "schemaIdLocation": "payload",
                "schemaIdPayloadEncoding": "confluent",
                "schemaLookupStrategy": "TopicRecordNameStrategy",
                "bindingVersion": "0.5.0",
            }
        },
    }


def _message(
    domain: Domain, event_type: EventType, version: SchemaVersion, kind: MessageKind
) -> dict[str, Any]:
    name = message_name(version)
    type_header = {"properties": {EVENT_TYPE: {"type": "string", "const": event_type.name}}}
    headers = [{"$ref": f"#/components/schemas/{schema}"} for schema in _HEADERS[kind]]
    message: dict[str, Any] = {
        "name": f"{name}{kind}",
        "title": f"{event_type.name}, version {version.version}{_TITLES[kind]}",
        "summary": event_type.doc or version.avsc.get("doc", ""),
        "description": _description(version, kind),
        "tags": [
            {"name": f"domain:{domain.name}"},
            {"name": f"aggregate:{event_type.aggregate}"},
            {"name": version.state.value},
        ],
        "headers": {"type": "object", "allOf": [*headers, type_header]},
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "traits": [{"$ref": "#/components/messageTraits/record"}],
        "x-event-type": event_type.name,
        "x-schema-version": version.version,
        "x-state": version.state.value,
        "x-subject": version.subject,
        "x-fingerprint": version.fingerprint.hex(),
    }
    if version.state is State.DEPRECATED:
        message["deprecated"] = True
    return message


def _description(version: SchemaVersion, kind: MessageKind) -> str:
    text = (
        "Framed Avro: 0, the schema's id (4 bytes, big-endian), Avro binary. "
        f"Subject {version.subject}."
    )
    if version.state is State.DEPRECATED:
        text = f"Deprecated: move to the active version. {text}"
    if kind is MessageKind.DEAD_LETTER:
        text += (
            " Key, bytes and headers are the record's own, as they were read: a record that could "
            "not be decoded may be anything. Without a value when it is resolved or too large."
        )
    return text
