"""Tells outages from other errors, by SQLSTATE and by librdkafka's error code.

This is the only definition. An outage is waited out: the server is away, or serves nobody for now.
Every other error is the fault of one row or statement, or has to be fixed by a person.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

import psycopg

from relay.errors import BrokerUnavailable, DatabaseUnavailable, RegistryUnavailable

__all__ = [
    "DATABASE_OUTAGES",
    "DISTURBANCES",
    "KAFKA_OUTAGES",
    "KAFKA_REFUSALS",
    "Server",
    "is_kafka_outage",
    "is_kafka_refusal",
    "is_of_a_server",
    "unavailable_server",
]

Server: TypeAlias = Literal["database", "kafka", "registry"]

# Classes of SQLSTATE (two characters) and single codes.
DATABASE_OUTAGES: Final = (
    "08",  # the connection failed
    "25006",  # read-only: the disk is full, or a standby was promoted elsewhere
    "25P03",  # the session was idle in its transaction: this process was frozen
    "25P04",  # the transaction took too long
    "40",  # deadlocks and the like, which a repetition does not meet again
    "53",  # no disk space, memory or connections left
    "54000",  # no transaction ids left until a vacuum
    "55006",  # the object is in use
    "55P03",  # somebody holds the lock
    "57",  # the server shuts down or starts, or somebody cancelled the statement
    "58",  # the server's files can't be read or written
)
# What may pass by itself while a handler runs. All else is a failed attempt of its event, such as a
# statement that needs too much memory, and so is this where it comes again and again (H42).
DISTURBANCES: Final = frozenset(
    {"25006", "40001", "40P01", "53100", "53300", "55P03", "57P01", "57P02", "57P03"}
)

# Names of librdkafka's error codes; those with an underscore are the client's own.
KAFKA_OUTAGES: Final = frozenset(
    {
        "_ALL_BROKERS_DOWN",
        "_ISR_INSUFF",
        "_MSG_TIMED_OUT",
        "_RESOLVE",
        "_RETRY",
        "_SSL",  # also a broker that ends during the handshake
        "_TIMED_OUT",
        "_TIMED_OUT_QUEUE",
        "_TRANSPORT",
        "_WAIT_CACHE",
        "_WAIT_COORD",
        "BROKER_NOT_AVAILABLE",
        "CONCURRENT_TRANSACTIONS",
        "COORDINATOR_LOAD_IN_PROGRESS",
        "COORDINATOR_NOT_AVAILABLE",
        "FENCED_LEADER_EPOCH",
        "KAFKA_STORAGE_ERROR",
        "LEADER_NOT_AVAILABLE",
        "LISTENER_NOT_FOUND",
        "NETWORK_EXCEPTION",
        "NOT_CONTROLLER",
        "NOT_COORDINATOR",
        "NOT_ENOUGH_REPLICAS",
        "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
        "NOT_LEADER_FOR_PARTITION",
        "OFFSET_NOT_AVAILABLE",
        "REPLICA_NOT_AVAILABLE",
        "REQUEST_TIMED_OUT",
        "THROTTLING_QUOTA_EXCEEDED",
        "UNKNOWN_LEADER_EPOCH",
        "UNSTABLE_OFFSET_COMMIT",
    }
)
# The broker answers and refuses: credentials, rights or settings have to be corrected.
KAFKA_REFUSALS: Final = frozenset(
    {
        "_AUTHENTICATION",
        "_INVALID_ARG",
        "_UNSUPPORTED_FEATURE",
        "CLUSTER_AUTHORIZATION_FAILED",
        "GROUP_AUTHORIZATION_FAILED",
        "ILLEGAL_SASL_STATE",
        "INVALID_CONFIG",
        "INVALID_SESSION_TIMEOUT",
        "INVALID_TRANSACTION_TIMEOUT",
        "SASL_AUTHENTICATION_FAILED",
        "SECURITY_DISABLED",
        "TOPIC_AUTHORIZATION_FAILED",
        "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
        "UNSUPPORTED_SASL_MECHANISM",
        "UNSUPPORTED_VERSION",
    }
)


def unavailable_server(error: BaseException | None) -> Server | None:
    """Returns the server whose outage `error` means; None if it means something else.

    A server that refuses this process counts as unavailable, too: a process that runs waits until
    that is corrected. One that starts looks for DatabaseRefused and BrokerRefused before.
    """
    match error:
        case DatabaseUnavailable():
            return "database"
        case BrokerUnavailable():
            return "kafka"
        case RegistryUnavailable():
            return "registry"
        case psycopg.Error():
            return "database" if _is_database_outage(error) else None
    found = _kafka_error(error)
    return "kafka" if found is not None and is_kafka_outage(found) else None


def is_of_a_server(error: BaseException) -> bool:
    """Whether a server or its client raised `error`, whatever it means: no row is the reason."""
    return (
        isinstance(error, psycopg.Error)
        or unavailable_server(error) is not None
        or _kafka_error(error) is not None
    )


def is_kafka_outage(error: Any) -> bool:
    """Whether a KafkaError means that no broker could be reached, or serve the request for now."""
    return error.name() in KAFKA_OUTAGES


def is_kafka_refusal(error: Any) -> bool:
    """Whether a KafkaError means that the broker refuses this client's credentials, rights or
    settings."""
    return error.name() in KAFKA_REFUSALS


def _is_database_outage(error: psycopg.Error) -> bool:
    if error.sqlstate is None:
        # The client's own errors: the connection was lost, or is closed.
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate.startswith(DATABASE_OUTAGES)


def _kafka_error(error: BaseException | None) -> Any:
    """The KafkaError in a KafkaException. Recognized by its methods: the registry's server runs
    where Kafka's client is not installed."""
    found = error.args[0] if error is not None and error.args else None
    return found if hasattr(found, "txn_requires_abort") else None
