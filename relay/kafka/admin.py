"""The admin client, which finds out why no broker can be reached."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from relay.errors import BrokerRefused, BrokerUnavailable
from relay.kafka.client_log import ClientLog
from relay.kafka.options import INFO
from relay.unavailable import is_kafka_refusal

__all__ = ["Admin"]

_DIAGNOSIS_S: Final = 1.0


class Admin(AdminClient):
    """An admin client that can be asked why it has no connection."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options)
        self._options = options

    def why_unreachable(self, reported: str) -> BrokerUnavailable:
        """Returns BrokerRefused where a broker refuses this client, and BrokerUnavailable
        otherwise, with the cause in words.

        librdkafka reports only that no broker could be reached; the cause is in its callbacks. A
        client of its own takes these: what nobody polls from a client that lives long would pile
        up. reported: the cause where there is no better one.
        """
        refusals: list[str] = []

        def note(error: KafkaError) -> None:
            if is_kafka_refusal(error):
                refusals.append(error.str())

        client_log = ClientLog()
        callbacks: dict[str, Any] = {"logger": client_log, "error_cb": note, "log_level": INFO}
        client = AdminClient({**self._options, **callbacks})
        with suppress(KafkaException):
            client.list_topics(timeout=_DIAGNOSIS_S)
        client.poll(0)
        if refusals:
            return BrokerRefused(
                f"Kafka at EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS refuses the connection: "
                f"{refusals[-1]}. Correct the SASL and TLS options in EVENT_BUS_KAFKA_OPTIONS"
            )
        return BrokerUnavailable(
            "Kafka can't be reached at EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS: "
            f"{client_log.last_failure or reported}. "
            "Check the address, TLS and SASL options, and that it runs."
        )
