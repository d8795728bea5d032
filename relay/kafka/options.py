"""librdkafka options of every client of the relay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from relay.settings import Settings

__all__ = ["INFO", "client_options", "consumer_options", "producer_options"]

# Levels of syslog. Lost connections are reported by what fails because of them, not by librdkafka
# for each on standard error; clients with a `logger` use INFO, librdkafka's default.
_CRITICAL: Final = 2
INFO: Final = 6

_NONE: Final[Mapping[str, Any]] = {}


def client_options(
    settings: Settings,
    defaults: Mapping[str, Any] = _NONE,
    required: Mapping[str, Any] = _NONE,
) -> dict[str, Any]:
    """Options of a client, and all that an admin client needs.

    defaults: what EVENT_BUS_KAFKA_OPTIONS may override. required: what it may not.
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
    """Options of a consumer that sees only what was committed and commits only on request.

    isolation.level read_committed: without it, events of aborted transactions are seen, and so
    events twice and out of order (KIP-98).
    """
    return client_options(
        settings,
        defaults,
        {
            "group.id": group,
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
    """Options of a producer whose records are kept by all in-sync replicas, in order, once each.

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
            # A topic that was deleted would come back with the broker's number of partitions.
            "allow.auto.create.topics": False,
            **required,
        },
    )
