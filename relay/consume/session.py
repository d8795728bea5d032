"""A thread's connection to PostgreSQL, reopened after every outage."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from relay.consume.failures import Interrupted
from relay.errors import ConfigurationInvalid
from relay.outages import Outages
from relay.postgres.connect import connect
from relay.settings import Settings
from relay.unavailable import Server, unavailable_server

__all__ = ["Session", "Sessions", "Stopped", "check_tables", "idle_timeout_ms"]

Result = TypeVar("Result")

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0
# The server must end a frozen handler's session before the group's session times out, so that the
# next owner finds the key's lock free.
IDLE_SHARE: Final = 0.75


def idle_timeout_ms(session_timeout_ms: int) -> int:
    """How long a handler may leave its transaction idle, by the group's session timeout."""
    return int(session_timeout_ms * IDLE_SHARE)


def check_tables(database_url: str) -> bool:
    """True; raises ConfigurationInvalid where the tables are missing, and as `connect` does."""
    with connect(database_url) as connection:
        row = connection.execute("select to_regclass('inbox.parked') is not null").fetchone()
    if row is None or not row[0]:
        raise ConfigurationInvalid("the database has no inbox tables yet. Run relay migrate")
    return True


class Stopped(Exception):
    """The work is no longer this thread's: the process ends, or the partition was revoked."""


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
        """The result of `operation`, which is repeated while an outage keeps it from running.

        wanted: checked before each repetition. Raises Stopped when it returns False or the process
        is to end, and what `operation` raises that is not an outage.
        """
        pause = FIRST_PAUSE_S
        while True:
            try:
                result = operation(self._open())
                self._outages.database.recovered(self._name)
                self._outages.registry.recovered(self._name)
                return result
            except Exception as error:
                self._close_unless_idle()
                if (server := _unavailable_server(error)) is None:
                    raise
                if server == "database":
                    self.close()  # what it was left with may be the reason
                self._outages.of(server).unavailable(self._name, str(error).strip())
            if self._stop.wait(pause) or not wanted():
                raise Stopped
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def close(self) -> None:
        """Ends the connection; the session can be used again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _close_unless_idle(self) -> None:
        """What a handler left open would swallow all that this session does afterwards."""
        if (
            self._connection is not None
            and self._connection.info.transaction_status != TransactionStatus.IDLE
        ):
            self.close()

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = connect(
                self._database_url,
                application_name=f"relay {self._name}",
                runs_handlers=True,
                silence_s=self._idle_timeout_ms / 1000,
                session={"idle_in_transaction_session_timeout": self._idle_timeout_ms},
            )
        return self._connection


def _unavailable_server(error: Exception) -> Server | None:
    """The server that `error` waits for; an attempt that was interrupted waits for the database,
    unless it says otherwise."""
    if isinstance(error, Interrupted):
        return unavailable_server(error.__cause__) or "database"
    return unavailable_server(error)


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
