"""The tree of errors. Every message says what happened, to which thing, and what to do next."""

from __future__ import annotations

__all__ = [
    "BrokerUnavailable",
    "CatalogInvalid",
    "ConfigurationInvalid",
    "DatabaseRefused",
    "DatabaseUnavailable",
    "PayloadInvalid",
    "PositionRefused",
    "RegistryUnavailable",
    "RelayError",
    "SchemaNotActive",
    "SchemaUnknown",
    "StackFailed",
    "TransactionMissing",
    "described",
    "in_a_line",
    "said",
]


class RelayError(Exception):
    """Base of every error that this package raises on purpose.

    `exit_code` is what the command line ends with: 2 for bad use or bad configuration,
    1 where the work itself found something wrong.
    """

    exit_code = 1


class ConfigurationInvalid(RelayError):
    """A setting is missing or wrong; the message names the setting."""

    exit_code = 2


class CatalogInvalid(ConfigurationInvalid):
    """The schemas folder can't be used as it stands; the message names the file."""


class StackFailed(ConfigurationInvalid):
    """The local stack could not be started or stopped."""


class DatabaseUnavailable(RelayError):
    """PostgreSQL can't be reached, or is not a primary."""

    exit_code = 2


class DatabaseRefused(DatabaseUnavailable):
    """PostgreSQL answers and refuses the connection: wrong password, role or database."""


class BrokerUnavailable(RelayError):
    """Kafka can't be reached."""

    exit_code = 2


class RegistryUnavailable(RelayError):
    """The schema registry can't be reached; asking again later may work."""

    exit_code = 2


class PositionRefused(RelayError):
    """The stored position does not belong to this database; `relay recover` decides."""

    exit_code = 2


class SchemaUnknown(RelayError):
    """An event type or version that no schema is known for."""


class SchemaNotActive(RelayError):
    """An event was to be published under a schema version that is not, or no longer, in use."""


class PayloadInvalid(RelayError):
    """A payload does not fit its schema.

    path: JSON path of the value, `$` for the payload itself.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class TransactionMissing(RelayError):
    """An event was to be published where no transaction would hold it and its change together."""

    exit_code = 2


def said(error: BaseException) -> str:
    """What an error says; its class where it says nothing or can't be asked."""
    try:
        return str(error) or type(error).__qualname__
    except BaseException:  # anybody may have written its __str__
        return type(error).__qualname__


def described(error: BaseException) -> str:
    """An error's class and what it says."""
    kind, text = type(error).__qualname__, said(error)
    return kind if text == kind else f"{kind}: {text}"


def in_a_line(error: BaseException | str) -> str:
    """What a driver says, in one line and without the hints, which it puts behind a tab."""
    lines = [line.strip() for line in str(error).splitlines() if not line.startswith("\t")]
    return "; ".join(line for line in lines if line).rstrip(".") or repr(error)
