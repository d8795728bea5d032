"""A connection that does not wait forever for a server that has gone silent (H47)."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
import weakref
from collections.abc import Generator
from typing import Any, Self

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow

__all__ = ["WatchedConnection"]

_LOOK_SECONDS = 0.5
_PROBE_SECONDS = 5


class WatchedConnection(psycopg.Connection[TupleRow]):
    """After some seconds of silence inside a statement, another connection checks whether the
    statement still runs. Where it does not, or nobody answers, this connection is cut and the
    statement raises psycopg.OperationalError.

    A frozen server, or a network device that swallows packets, neither answers nor breaks the
    connection, and neither keepalives nor tcp_user_timeout detect that.
    """

    silence_s: float = 0.0
    # When the wait that goes on began; written by the connection's own thread only.
    waiting_since: float | None = None
    # When the server was last found at work.
    at_work_at: float = 0.0
    _cut = False

    def watch(self, seconds: float) -> Self:
        """Sets after how much silence the server is checked."""
        self.silence_s = seconds
        _WATCH.add(self)
        return self

    def wait(self, gen: PQGen[Any], *args: Any, **options: Any) -> Any:
        """See psycopg.Connection.wait."""
        self.waiting_since = time.monotonic()
        try:
            return super().wait(gen, *args, **options)
        except psycopg.OperationalError:
            if self._cut:
                raise psycopg.OperationalError(
                    f"the server has not answered for {self.silence_s:.0f} s"
                ) from None
            raise
        finally:
            self.waiting_since = None

    def cut(self, since: float) -> None:
        """Cuts the connection from another thread, unless the wait that began then is over or an
        answer has come."""
        try:
            with socket.socket(fileno=os.dup(self.fileno())) as copied:
                if self.waiting_since != since or select.select([copied], [], [], 0)[0]:
                    return
                self._cut = True
                copied.shutdown(socket.SHUT_RDWR)
        except (OSError, psycopg.Error):
            return  # it was closed meanwhile


class _Watch:
    """One thread a process looks at all watched connections; they pay two assignments a wait."""

    def __init__(self) -> None:
        self._connections: weakref.WeakSet[WatchedConnection] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, connection: WatchedConnection) -> None:
        """Watches a connection as long as it exists."""
        with self._lock:
            self._connections.add(connection)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="silence", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)
            with self._lock:
                connections = list(self._connections)
            away: set[str] = set()
            for connection in connections:
                self._check(connection, away)
            del connections

    def _check(self, connection: WatchedConnection, away: set[str]) -> None:
        """away: addresses that have not answered in this round."""
        since = connection.waiting_since
        if since is None:
            return
        if time.monotonic() - max(since, connection.at_work_at) <= connection.silence_s:
            return
        try:
            address, pid = _address(connection), connection.info.backend_pid
        except psycopg.Error:
            return  # it was closed meanwhile
        if address not in away:
            try:
                if _is_at_work(address, pid):
                    connection.at_work_at = time.monotonic()
                    return
            except psycopg.Error:
                away.add(address)
        connection.cut(since)


class _Probe(psycopg.Connection[TupleRow]):
    """Waits for a short time only."""

    def wait(self, gen: PQGen[Any], *args: Any, **options: Any) -> Any:
        """See psycopg.Connection.wait."""
        return super().wait(self._limited(gen), *args, **options)

    def _limited(self, gen: PQGen[Any]) -> Generator[Any, Any, Any]:
        """Passes on what `gen` waits for; psycopg resumes this ten times a second meanwhile."""
        deadline = time.monotonic() + _PROBE_SECONDS
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > deadline:
                    self.pgconn.finish()
                    raise psycopg.OperationalError("the server does not answer")
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value


def _address(connection: WatchedConnection) -> str:
    info = connection.info
    return make_conninfo(info.dsn, password=info.password or None, connect_timeout=_PROBE_SECONDS)


def _is_at_work(address: str, pid: int) -> bool:
    """Whether the server reports that the statement of a session runs.

    Raises psycopg.Error when it does not answer.
    """
    query = "select state = 'active' from pg_catalog.pg_stat_activity where pid = %s"
    with _Probe.connect(address, autocommit=True) as probe:
        row = probe.execute(query, [pid]).fetchone()
    return row is not None and bool(row[0])


_WATCH = _Watch()
