"""The catalog as an AsyncAPI 3.0 document: topics, messages, who sends and who receives."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

from relay.schema.catalog import Catalog
from relay.schema.export.asyncapi_messages import (
    MessageKind,
    components,
    message_name,
    published_versions,
)
from relay.schema.export.brokers import Brokers, security_schemes, servers

__all__ = ["READ_COMMITTED", "asyncapi"]

READ_COMMITTED = (
    "Exactly once holds for consumers with isolation.level=read_committed. With read_uncommitted, "
    "Java's default, records of aborted transactions are seen: events come twice and out of order."
)
BINDING = {"bindingVersion": "0.5.0"}


def asyncapi(catalog: Catalog, brokers: Brokers) -> dict[str, Any]:
    """AsyncAPI 3.0.0 document (https://www.asyncapi.com/docs/reference/specification/v3.0.0).

    One channel for each topic: those of the domains, and for each group that reads one a topic of
    dead letters and one of replays. Messages are the active and deprecated versions.
    `info.version` is a digest of the document without its servers: it changes with the contract,
    not between environments. Equal catalogs and brokers give equal documents.
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
            _messages(catalog, domain.event_types, MessageKind.EVENT),
            domain.partitions,
        )
    for group, topic, names in _readers(catalog):
        dlq, retry = catalog.dlq_topic(topic, group), catalog.retry_topic(topic, group)
        channels[dlq] = _channel(
            dlq,
            f"Dead letters of {group} from {topic}",
            "Events that the group gave up, and what became of them.",
            _messages(catalog, names, MessageKind.DEAD_LETTER),
        )
        channels[retry] = _channel(
            retry,
            f"Replays of {topic} for {group}",
            "Dead letters that somebody replays; no other group reads them.",
            _messages(catalog, names, MessageKind.REPLAY),
        )
    return channels


def _channel(
    topic: str, title: str, description: str, messages: list[str], partitions: int = 1
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
        title = f"The relay publishes the events of {domain.name}"
        how = f"In one Kafka transaction a batch. {READ_COMMITTED}"
        events = _messages(catalog, domain.event_types, MessageKind.EVENT)
        yield f"publish.{domain.topic}", _operation("send", domain.topic, title, how, events)
    for group, topic, names in _readers(catalog):
        dlq, retry = catalog.dlq_topic(topic, group), catalog.retry_topic(topic, group)
        events, dead, replays = (_messages(catalog, names, kind) for kind in MessageKind)
        yield f"consume.{group}.{topic}", _receive(topic, group, "events", events)
        yield f"consume.{group}.{retry}", _receive(retry, group, "replays", replays)
        title, how = (
            f"{group} gives up what it can't handle",
            "May be sent twice with the same __dlq.id.",
        )
        yield f"give-up.{dlq}", _operation("send", dlq, title, how, dead)
        title, how = f"Somebody replays dead letters of {group}", "relay dlq replay."
        yield f"replay.{retry}", _operation("send", retry, title, how, replays)


def _receive(topic: str, group: str, what: str, messages: list[str]) -> dict[str, Any]:
    return {
        **_operation("receive", topic, f"{group} handles {what}", READ_COMMITTED, messages),
        "bindings": {"kafka": {"groupId": {"type": "string", "const": group}, **BINDING}},
        "x-isolation-level": "read_committed",
    }


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
    """Yields group, topic and the event types that the group reads there, ordered by group."""
    for group, topics in catalog.groups.items():
        for topic, names in topics.items():
            yield group, topic, names


def _messages(catalog: Catalog, names: Iterable[str], kind: MessageKind) -> list[str]:
    return [
        message_name(version, kind)
        for name in names
        for version in published_versions(catalog.event_type(name))
    ]
