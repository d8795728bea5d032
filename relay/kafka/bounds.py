"""Compares the timeouts of the settings with the bounds that the brokers set."""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from relay.errors import ConfigurationInvalid
from relay.kafka.errors import broker_call
from relay.kafka.topics import Cluster
from relay.settings import Settings
from relay.unavailable import is_kafka_refusal

__all__ = ["check_timeouts"]

_TIMEOUT_S: Final = 10.0
_SESSION: Final = "EVENT_BUS_SESSION_TIMEOUT_MS"
_TRANSACTION: Final = "EVENT_BUS_TRANSACTION_TIMEOUT_MS"
_LEAST_SESSION: Final = "group.min.session.timeout.ms"
_MOST_SESSION: Final = "group.max.session.timeout.ms"
_MOST_TRANSACTION: Final = "transaction.max.timeout.ms"


def check_timeouts(
    admin: AdminClient, cluster: Cluster, settings: Settings, *, transactions: bool
) -> None:
    """Raises ConfigurationInvalid for a timeout that the brokers would refuse.

    transactions: whether the process uses them.
    Passes where the relay may not read the brokers' configuration: then it ends when a broker
    refuses a timeout. Raises BrokerUnavailable.
    """
    resource = ConfigResource(ResourceType.BROKER, str(cluster.answered_by))
    future = admin.describe_configs([resource], request_timeout=_TIMEOUT_S)[resource]
    with broker_call("the configuration of the brokers can't be read"):
        try:
            config = future.result()
        except KafkaException as error:
            if is_kafka_refusal(error.args[0]):
                return
            raise
    bounds = {
        name: int(config[name].value) for name in (_LEAST_SESSION, _MOST_SESSION, _MOST_TRANSACTION)
    }
    session, transaction = settings.session_timeout_ms, settings.transaction_timeout_ms
    if session < bounds[_LEAST_SESSION]:
        raise _refused(_SESSION, session, f"no less than {bounds[_LEAST_SESSION]}", _LEAST_SESSION)
    if session > bounds[_MOST_SESSION]:
        raise _refused(_SESSION, session, f"no more than {bounds[_MOST_SESSION]}", _MOST_SESSION)
    if transactions and transaction > (most := bounds[_MOST_TRANSACTION]):
        raise _refused(_TRANSACTION, transaction, f"no more than {most}", _MOST_TRANSACTION)


def _refused(setting: str, value: int, bound: str, name: str) -> ConfigurationInvalid:
    return ConfigurationInvalid(
        f"{setting} is {value}, and the brokers take {bound} ({name}). Set it within that, or "
        "change the brokers"
    )
