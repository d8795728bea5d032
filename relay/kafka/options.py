"""librdkafka options that every client of the relay starts from."""

from __future__ import annotations

from typing import Any

from relay.settings import Settings

__all__ = ["client_options"]


def client_options(settings: Settings) -> dict[str, Any]:
    """`EVENT_BUS_KAFKA_OPTIONS` and what all clients share.

    Nothing is written to standard error by librdkafka itself; a client with a `logger` sets its own
    log level.
    """
    return {
        **settings.kafka_options,
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 1000,
        # Lost connections are reported by what fails because of them, not by librdkafka for each.
        "log_level": 2,
    }
