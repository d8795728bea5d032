"""The catalog as an AsyncAPI 3.0 document: topics, messages, who sends and who receives."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

from relay.schema.catalog import Catalog
from relay.schema.export.asyncapi_messages import Kind, components, message_name, published_versions
from relay.schema.export.brokers import Brokers, security_schemes, servers

__all__ = ["READ_COMMITTED", "asyncapi"]

READ_COMMITTED = (
    "Exactly once holds for consumers with isolation.level=read_committed. With read_uncommitted, "
    "Java's default, records of aborted transactions are seen: events come twice and out of order."
)
BINDING = {"bindingVersion": "0.5.0"}


def asyncapi(catalog: Catalog, brokers: Brokers) -> dict[str, Any]:
    """AsyncAPI 3.0.0 document (https://www.asyncapi.com/docs/reference/specification/v3.0.0).

    A channel a topic: each domain's and, for each group that reads it, its dead letters' and its
    retries'. Messages are the active and deprecated versions. `info.version` is a digest of the
    document without its servers: it changes when the contract does, and not between environments.
    Equal catalogs and brokers give equal documents.
    """
    body = {
        "channels": _channels(catalog),
        "operations": dict(_operations(catalog)),
        "components": components(catalog.domains.values()),
    }
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    if schemes := security_schemes(brokers):
        body["components"]["securitySchemes"] = schemes
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Domain events",
            "version": digest[:12],
            "description": (
                "Events that services write to their outbox and the relay publishes, in order per "
                f"aggregate, exactly once. {READ_COMMITTED}"
            ),
            "tags": [
                {"name": f"domain:{domain.name}", "description": f"Owner: {domain.owner}"}
                for domain in catalog.domains.values()
            ],
        },
        "defaultContentType": "application/avro",
        "servers": servers(brokers),
        **body,
    }


def _channels(catalog: Catalog) -> dict[str, Any]:
    channels: dict[str, Any] = {}
    for domain in catalog.domains.values():
        channels[domain.topic] = _channel(
            domain.topic,
            f"Events of the domain {domain.name}",
            f"Owner: {domain.owner}. Compatibility of its schemas: {domain.compatibility}.",
            domain.partitions,
            _messages(catalog, domain.event_types, Kind.EVENT),
        )
    for group, topic, names in _readers(catalog):
        channels[catalog.dlq_topic(topic, group)] = _channel(
            catalog.dlq_topic(topic, group),
            f"Dead letters of {group} from {topic}",
            "Events that the group gave up, and what became of them.",
            1,
            _messages(catalog, names, Kind.DEAD_LETTER),
        )
        channels[catalog.retry_topic(topic, group)] = _channel(
            catalog.retry_topic(topic, group),
            f"Replays of {topic} for {group}",
            "Dead letters that somebody replays; no other group reads them.",
            1,
            _messages(catalog, names, Kind.REPLAY),
        )
    return channels


def _channel(
    topic: str, title: str, description: str, partitions: int, messages: list[str]
) -> dict[str, Any]:
    return {
        "address": topic,
        "title": title,
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"kafka": {"topic": topic, "partitions": partitions, **BINDING}},
    }


def _operations(catalog: Catalog) -> Iterator[tuple[str, dict[str, Any]]]:
    for domain in catalog.domains.values():
        yield (
            f"publish.{domain.topic}",
            _operation(
                "send",
                domain.topic,
                f"The relay publishes the events of {domain.name}",
                f"In one Kafka transaction a batch. {READ_COMMITTED}",
                _messages(catalog, domain.event_types, Kind.EVENT),
            ),
        )
    for group, topic, names in _readers(catalog):
        dlq, retry = catalog.dlq_topic(topic, group), catalog.retry_topic(topic, group)
        dead = _messages(catalog, names, Kind.DEAD_LETTER)
        replays = _messages(catalog, names, Kind.REPLAY)
        yield (
            f"consume.{group}.{topic}",
            _receive(
                topic, group, f"{group} handles events", _messages(catalog, names, Kind.EVENT)
            ),
        )
        yield (
            f"consume.{group}.{retry}",
            _receive(retry, group, f"{group} handles replays", replays),
        )
        yield (
            f"give-up.{dlq}",
            _operation(
                "send",
                dlq,
                f"{group} gives up what it can't handle",
                "May be sent twice with the same __dlq.id.",
                dead,
            ),
        )
        yield (
            f"replay.{retry}",
            _operation(
                "send",
                retry,
                f"Somebody replays dead letters of {group}",
                "relay dlq replay.",
                replays,
            ),
        )


def _receive(topic: str, group: str, title: str, messages: list[str]) -> dict[str, Any]:
    operation = _operation("receive", topic, title, READ_COMMITTED, messages)
    operation["bindings"] = {"kafka": {"groupId": {"type": "string", "const": group}, **BINDING}}
    operation["x-isolation-level"] = "read_committed"
    return operation


def _operation(
    action: str, topic: str, title: str, description: str, messages: list[str]
) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic}"},
        "title": title,
        "description": description,
        "messages": [{"$ref": f"#/channels/{topic}/messages/{name}"} for name in messages],
    }


def _readers(catalog: Catalog) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Group, topic and the event types that it wants there, ordered by group."""
    for group, topics in catalog.groups.items():
        for topic, names in topics.items():
            yield group, topic, names


def _messages(catalog: Catalog, names: Iterable[str], kind: Kind) -> list[str]:
    return [
        message_name(version, kind)
        for name in names
        for version in published_versions(catalog.event_type(name))
    ]
