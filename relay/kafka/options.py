"""Builds the librdkafka options of every client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from relay.settings import Settings

__all__ = ["INFO", "client_options", "consumer_options", "producer_options"]

# Syslog levels. Without a `logger` librdkafka would print every lost connection to standard error;
# clients with one use INFO, librdkafka's default.
_CRITICAL: Final = 2
INFO: Final = 6

_NONE: Final[Mapping[str, Any]] = {}


def client_options(
    settings: Settings,
    defaults: Mapping[str, Any] = _NONE,
    required: Mapping[str, Any] = _NONE,
) -> dict[str, Any]:
    """Returns the options of any client; enough for an admin client.

    defaults: options that EVENT_BUS_KAFKA_OPTIONS may override. required: those it may not.
    """
    return {
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 1000,
        "log_level": _CRITICAL,
        **defaults,
        **settings.kafka_options,
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        **required,
    }


def consumer_options(
    settings: Settings,
    group: str,
    defaults: Mapping[str, Any] = _NONE,
    required: Mapping[str, Any] = _NONE,
) -> dict[str, Any]:
    """Returns the options of a consumer that commits only on request.

    isolation.level read_committed: otherwise events of aborted transactions are visible, so events
    appear twice and out of order (KIP-98).
    """
    return client_options(
        settings,
        defaults,
        {
            "group.id": group,
            # All members of a group need the same.
            "partition.assignment.strategy": "cooperative-sticky",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            **required,
        },
    )


def producer_options(
    settings: Settings,
    name: str,
    defaults: Mapping[str, Any] = _NONE,
    required: Mapping[str, Any] = _NONE,
) -> dict[str, Any]:
    """Returns the options of a producer that is idempotent and waits for all in-sync replicas.

    name: its client.id.
    """
    return client_options(
        settings,
        {
            "client.id": name,
            # The topic's limit decides, not the client's, which is below what a topic may hold.
            "message.max.bytes": 100_000_000,
            **defaults,
        },
        {
            "enable.idempotence": True,
            "acks": "all",
            # A deleted topic would be recreated with the broker's default number of partitions.
            "allow.auto.create.topics": False,
            **required,
        },
    )
