"""A thread's connection to PostgreSQL, opened again after every outage."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

import psycopg

from relay.consume.failures import Interrupted, is_outage
from relay.errors import DatabaseUnavailable, RegistryUnavailable
from relay.outages import Outages
from relay.postgres.connect import connect
from relay.settings import Settings

__all__ = ["Session", "Sessions", "Stopped", "idle_timeout_ms"]

Result = TypeVar("Result")

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0
# The server must have ended a frozen handler's session before the group's session runs out,
# so that the successor finds the key's lock free.
IDLE_SHARE: Final = 0.75


def idle_timeout_ms(session_timeout_ms: int) -> int:
    """How long a handler may leave its transaction idle, by the group's session timeout."""
    return int(session_timeout_ms * IDLE_SHARE)


class Stopped(Exception):
    """The work was given up because it is no longer this thread's."""


class Session:
    """Belongs to one thread. stop: set when the process is to end.

    idle_timeout_ms: after this long inside an idle transaction the server ends the session, so
    that a frozen process lets go of its locks.
    """

    def __init__(
        self,
        database_url: str,
        name: str,
        stop: threading.Event,
        outages: Outages,
        *,
        idle_timeout_ms: int,
    ) -> None:
        self._database_url = database_url
        self._name = name
        self._stop = stop
        self._outages = outages
        self._idle_timeout_ms = idle_timeout_ms
        self._connection: psycopg.Connection[Any] | None = None

    def run(
        self,
        operation: Callable[[psycopg.Connection[Any]], Result],
        *,
        wanted: Callable[[], bool] = lambda: True,
    ) -> Result:
        """The result of `operation`, repeated for as long as an outage keeps it from running.

        wanted: checked before each repetition. Raises Stopped when it returns False or the process
        is to end, and what `operation` raises that is not an outage.
        """
        pause = FIRST_PAUSE_S
        while True:
            try:
                result = operation(self._open())
                self._outages.database.back(self._name)
                self._outages.registry.back(self._name)
                return result
            except (psycopg.Error, Interrupted, DatabaseUnavailable, RegistryUnavailable) as error:
                connection = self._connection
                judged = not isinstance(error, Interrupted) and connection is not None
                if judged and connection is not None and not is_outage(error, connection):
                    raise
                of_registry = isinstance(error.__cause__ or error, RegistryUnavailable)
                outage = self._outages.registry if of_registry else self._outages.database
                outage.away(self._name, str(error).strip())
            if self._stop.wait(pause) or not wanted():
                raise Stopped
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def close(self) -> None:
        """Ends the connection; the session can be used again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._database_url, application_name=f"relay {self._name}")
            self._connection.execute(
                "select set_config('idle_in_transaction_session_timeout', %s, false)",
                (str(self._idle_timeout_ms),),
            )
        return self._connection


class Sessions:
    """Makes the sessions of one group's process, one for each thread."""

    def __init__(
        self, settings: Settings, group: str, stop: threading.Event, outages: Outages
    ) -> None:
        self._settings = settings
        self._group = group
        self._stop = stop
        self._outages = outages

    def new(self, role: str) -> Session:
        """A session for one thread. role: what the thread does, as logs and pg_stat_activity name
        it after the group."""
        return Session(
            self._settings.database_url,
            f"{self._group} {role}",
            self._stop,
            self._outages,
            idle_timeout_ms=idle_timeout_ms(self._settings.session_timeout_ms),
        )
