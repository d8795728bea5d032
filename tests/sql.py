"""One connection a thread for the many short questions that a test asks its database."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import psycopg

__all__ = ["close", "run_sql"]


class _Open:
    """A thread's connection, closed when the thread ends or asks another database."""

    def __init__(self, url: str) -> None:
        self.url = url
        # Statements are not prepared: a test may change the tables between two of them.
        self.connection = psycopg.connect(url, autocommit=True, prepare_threshold=None)

    def __del__(self) -> None:
        with suppress(AttributeError):
            self.connection.close()


_threads = threading.local()


def run_sql(url: str, query: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    """Runs one statement of its own transaction; its rows, if it has any.

    A connection that has ended since, as that of a killed server, is opened again.
    """
    cursor = _execute(url, query, parameters)
    return cursor.fetchall() if cursor.description else []


def close() -> None:
    """Closes this thread's connection: a database is copied only while nobody is connected."""
    _threads.open = None


def _execute(url: str, query: str, parameters: Any) -> psycopg.Cursor[Any]:
    if (known := getattr(_threads, "open", None)) is not None and known.url == url:
        try:
            return known.connection.execute(query, parameters)
        except psycopg.OperationalError:
            if not known.connection.closed:
                raise
    _threads.open = _Open(url)
    return _threads.open.connection.execute(query, parameters)
