"""The registry's connections to its database, and the log of the database's outages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg_pool import ConnectionPool

from relay.errors import DatabaseRefused, DatabaseUnavailable
from relay.observe import Events
from relay.outages import Outages
from relay.postgres.connect import connect
from relay.process.event_log import log_event
from relay.process.waiting import wait_for_servers

__all__ = ["build_pool", "refuse_bad_settings", "watched"]

_CHECK_S: Final = 2.0
_SILENCE_S: Final = 5.0


class _PooledConnection(psycopg.Connection[Any]):
    """Connects as every other part of the relay does."""

    @classmethod
    def connect(cls, conninfo: str = "", **_: Any) -> Any:
        return connect(conninfo, application_name="relay registry", autocommit=False)


def build_pool(database_url: str) -> ConnectionPool[Any]:
    """Connections for the server, not opened yet.

    A request waits at most 3 s for one. Each is tested before use, so after an outage of the
    database no request gets a broken one.
    """
    return ConnectionPool(
        database_url,
        connection_class=_PooledConnection,
        min_size=1,
        max_size=8,
        timeout=3.0,
        reconnect_timeout=2.0,
        open=False,
        check=ConnectionPool.check_connection,
    )


def refuse_bad_settings(database_url: str) -> None:
    """Raises ConfigurationInvalid or DatabaseRefused for what a person has to correct; an outage
    is none of that."""
    try:
        connect(database_url).close()
    except DatabaseRefused:
        raise
    except DatabaseUnavailable:
        pass


@contextmanager
def watched(database_url: str) -> Iterator[None]:
    """Logs outages of the database meanwhile, whether or not requests come."""
    stop = threading.Event()
    watch = threading.Thread(target=_watch, args=(database_url, stop), daemon=True)
    watch.start()
    try:
        yield
    finally:
        stop.set()


def _watch(database_url: str, stop: threading.Event) -> None:
    outages = Outages(Events(log_event))
    connection: psycopg.Connection[Any] | None = None

    def check() -> None:
        nonlocal connection
        if connection is None or connection.closed:
            connection = connect(
                database_url, application_name="relay registry watch", silence_s=_SILENCE_S
            )
        connection.execute("select 1")

    while not stop.is_set():
        wait_for_servers(check, outages, stop, running=True)
        stop.wait(_CHECK_S)
    if connection is not None:
        connection.close()
