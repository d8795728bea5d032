"""The errors of this package. Every message says what happened, to what, and what to do next."""

from __future__ import annotations

import os


class RelayError(Exception):
    """Base of every error that this package raises on purpose.

    exit_code: of the command line: 2 for bad use or bad configuration, 1 for other failures.
    """

    exit_code = 1


class ConfigurationInvalid(RelayError):
    """A setting is missing or wrong; the message names the setting."""

    exit_code = 2


class CatalogInvalid(ConfigurationInvalid):
    """The schemas folder can't be used; the message names the file."""


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


class BrokerRefused(BrokerUnavailable):
    """Kafka answers and refuses: wrong credentials, missing rights, or a setting out of bounds."""


class RegistryUnavailable(RelayError):
    """The schema registry can't be reached; retrying later may work."""

    exit_code = 2


class PositionRefused(RelayError):
    """The stored position does not belong to this database; run `relay recover`."""

    exit_code = 2


class SchemaUnknown(RelayError):
    """No schema is known for an event type or version."""


class SchemaNotActive(RelayError):
    """An event was published under a schema version that is not in use."""


class PayloadInvalid(RelayError):
    """A payload does not fit its schema.

    path: JSON path of the value, `$` for the payload itself.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class BulkTooLarge(RelayError):
    """Events were published in one call that are too large together for one statement."""


class TransactionMissing(RelayError):
    """An event was published without a transaction that also holds its change."""

    exit_code = 2


def said(error: BaseException) -> str:
    """Returns an error's message; its class name if the message is empty or can't be read."""
    try:
        return str(error) or type(error).__qualname__
    except BaseException:  # anybody may have written its __str__
        return type(error).__qualname__


def described(error: BaseException) -> str:
    """Returns an error's class name and message."""
    kind, text = type(error).__qualname__, said(error)
    return kind if text == kind else f"{kind}: {text}"


def located(error: BaseException) -> str:
    """Returns an error's class name and the place in the code that raised it, without its message,
    which may quote values of a payload."""
    kind, trace = type(error).__qualname__, error.__traceback__
    if trace is None:
        return kind
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    return f"{kind} at {os.path.basename(code.co_filename)}:{trace.tb_lineno} in {code.co_name}"


def in_a_line(error: BaseException | str) -> str:
    """Returns a driver's message as one line, without its hints, which start with a tab."""
    lines = [line.strip() for line in str(error).splitlines() if not line.startswith("\t")]
    return "; ".join(line for line in lines if line).rstrip(".") or repr(error)
