"""Where the tests' PostgreSQL and Kafka come from, and how tests wait for them."""

from __future__ import annotations

import asyncio
import inspect
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import psycopg
from psycopg import sql

__all__ = ["Broker", "Database", "eventually", "running_kafka", "running_postgres", "until"]

T = TypeVar("T")

_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.1


class Database(Protocol):
    """A PostgreSQL server that tests may make databases in."""

    def url_of(self, database: str) -> str: ...

    def create_database(self, name: str, template: str = "template1") -> str: ...

    def drop_database(self, name: str) -> None: ...


class Broker(Protocol):
    """A Kafka broker."""

    @property
    def bootstrap_servers(self) -> str: ...


def until(
    condition: Callable[[], T],
    *,
    timeout: float = 20.0,
    what: str | None = None,
    ignoring: tuple[type[Exception], ...] = (),
) -> T:
    """Calls `condition` again and again until it is true; returns what it returned.

    timeout: seconds. what: says in the failure's message what was awaited. ignoring: errors of
    `condition` that count as false. Fails with the last value or error seen.
    """
    deadline = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    while True:
        last: object
        try:
            last = value = condition()
            if value:
                return value
        except ignoring as error:
            last = error
        if time.monotonic() >= deadline:
            raise AssertionError(_too_late(condition, timeout, what, last))
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


async def eventually(
    condition: Callable[[], Any], *, timeout: float = 20.0, what: str | None = None
) -> Any:
    """As `until` for asynchronous tests; `condition` may be a coroutine function."""
    deadline = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(_too_late(condition, timeout, what, value))
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


@contextmanager
def running_postgres(folder: Path) -> Iterator[Any]:
    """A PostgreSQL server for a run of the tests."""
    if _in_containers():
        from tests.containers import ContainerPostgres

        with ContainerPostgres() as container:
            yield container
        return
    from relay.local.postgres import LocalPostgres

    server = LocalPostgres(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def running_kafka(folder: Path) -> Iterator[Any]:
    """A Kafka broker for a run of the tests; members of groups may be declared lost after 1 s."""
    if _in_containers():
        from tests.containers import ContainerKafka

        with ContainerKafka() as container:
            yield container
        return
    from relay.local.kafka import LocalKafka

    server = LocalKafka(folder, properties={"group.min.session.timeout.ms": "1000"})
    server.start()
    try:
        yield server
    finally:
        server.kill()


def forbid_connections(url_of_maintenance: str, database: str) -> None:
    """Keeps everybody out of `database`, so that it can be copied at any time."""
    with psycopg.connect(url_of_maintenance, autocommit=True) as connection:
        connection.execute(
            sql.SQL("alter database {} with allow_connections false").format(
                sql.Identifier(database)
            )
        )
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [database]
        )


def _in_containers() -> bool:
    return os.environ.get("EVENT_BUS_TEST_STACK", "local") == "containers"


def _too_late(condition: Callable[[], Any], timeout: float, what: str | None, last: object) -> str:
    awaited = what or _source_of(condition)
    return f"not so after {timeout:g} s: {awaited}; the last answer was {last!r}"


def _source_of(condition: Callable[[], Any]) -> str:
    try:
        return " ".join(inspect.getsource(condition).split())
    except (OSError, TypeError):
        return repr(condition)
