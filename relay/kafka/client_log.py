"""Forwards librdkafka's log to Python's logging, and its connection state to an Outage."""

from __future__ import annotations

import logging
from typing import Any

import orjson
from confluent_kafka import KafkaError

from relay.outages import Outage

__all__ = ["BrokerWatch", "ClientLog"]

log = logging.getLogger(__name__)

# Lost and refused connections: librdkafka repeats them several times a second.
_CONNECTION_FACILITIES = frozenset({"FAIL", "ERROR", "BROKERFAIL", "CONNECT"})
_STATISTICS_MS = 1_000


class ClientLog:
    """The `logger` of one client. confluent-kafka calls `log` from the client's own poll and flush.

    Lost connections are logged at DEBUG only; whoever needed them reports the failure.
    """

    def __init__(self) -> None:
        self.last_failure = ""
        self._wants_debug = log.isEnabledFor(logging.DEBUG)

    def log(self, level: int, template: str, *words: str) -> None:
        """level: of Python's logging. words: facility, client, line (librdkafka's rd_kafka_log)."""
        if words[0] in _CONNECTION_FACILITIES:
            self.last_failure = words[2]
            level = logging.DEBUG
        if level > logging.DEBUG or self._wants_debug:
            log.log(level, template, *words)


class BrokerWatch:
    """Reports to an Outage whether one client has a connection to any broker.

    reporter: the client's name in the Outage. The client must be polled.
    """

    def __init__(self, outage: Outage, reporter: str) -> None:
        self._outage = outage
        self._reporter = reporter
        self._log = ClientLog()

    def options(self) -> dict[str, Any]:
        """Returns the options that the client needs."""
        return {
            "logger": self._log,
            "error_cb": self._on_error,
            "stats_cb": self._on_statistics,
            "statistics.interval.ms": _STATISTICS_MS,
        }

    def forget(self) -> None:
        """Withdraws the report, since the client is closed."""
        self._outage.recovered(self._reporter)

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._outage.unavailable(self._reporter, self._log.last_failure or error.str())
        else:
            log.debug("Kafka: %s", error.str())

    def _on_statistics(self, text: str) -> None:
        # Source of the fields: librdkafka's STATISTICS.md.
        brokers = orjson.loads(text)["brokers"].values()
        if any(broker["nodeid"] >= 0 and broker["state"] == "UP" for broker in brokers):
            self._outage.recovered(self._reporter)
        elif self._outage.lasts:
            self._outage.unavailable(
                self._reporter, self._log.last_failure or "no broker is connected"
            )
