"""Connects to PostgreSQL with the options that the hot path depends on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import scalar_row

from relay.errors import ConfigurationInvalid, DatabaseRefused, DatabaseUnavailable, in_a_line
from relay.postgres.watched import WatchedConnection

__all__ = ["HANDLERS_PREPARE", "connect", "libpq_url", "sqlalchemy_url", "storable"]

# libpq has no SQLSTATE for a refused connection, only the server's message.
_REFUSED = re.compile(
    r"authentication failed|no pg_hba\.conf entry|(?:role|database) \S+ does not exist"
    r"|not permitted to log in|permission denied for database|no password supplied"
)
# Unacknowledged data closes a connection to a server that is gone.
_SILENCE_MS = 15_000
_SESSION = {
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "default_transaction_isolation": r"read\ committed",
    "default_transaction_deferrable": "off",
}
_NAMES_AND_FORMATS = {
    "search_path": "pg_catalog,pg_temp",
    "datestyle": "ISO",
    "timezone": "UTC",
    "intervalstyle": "postgres",
}
_POOLER = (
    "EVENT_BUS_DATABASE_URL leads to a connection pooler, which hides crashes and failovers of the "
    "server from the relay. Name the server itself; services may publish through the pooler"
)
_ENCODING = "UTF8"
# From how many runs on a statement of a handler's session is prepared.
HANDLERS_PREPARE: Final = 5
_DRIVER = re.compile(r"^(postgres(?:ql)?)(\+\w+)?://")


def libpq_url(url: str) -> str:
    """Removes a SQLAlchemy driver name: `postgresql+psycopg://` becomes `postgresql://`."""
    if not _DRIVER.match(url):
        raise ConfigurationInvalid(
            "EVENT_BUS_DATABASE_URL is not a PostgreSQL URL: "
            "write postgresql://user:password@host:port/database"
        )
    return _DRIVER.sub("postgresql://", url)


def sqlalchemy_url(url: str) -> str:
    """Returns `url` for SQLAlchemy with psycopg 3."""
    return _DRIVER.sub("postgresql+psycopg://", libpq_url(url))


def connect(
    url: str,
    *,
    application_name: str = "relay",
    autocommit: bool = True,
    runs_handlers: bool = False,
    silence_s: float | None = None,
    session: Mapping[str, str | int] | None = None,
) -> psycopg.Connection[Any]:
    """Connects to the primary, in autocommit mode by default.

    Statements are not prepared on the server: from its tenth run a prepared page statement would
    get a generic plan that scans the whole seq index, and pgbouncer does not support it.
    A standby is refused, since its snapshots are not the primary's.
    The session states all settings that roles and databases may have other defaults for. Names in
    the relay's statements are looked up in pg_catalog only, whatever somebody has planted elsewhere
    (H51).
    runs_handlers: keeps search_path, TimeZone and the order of day and month in dates, which
    handlers rely on; and prepares statements that are repeated, which come with each event.
    silence_s: how long a statement waits for a server that may be gone, see WatchedConnection.
    session: further settings of PostgreSQL, by name; times in milliseconds.
    Raises DatabaseUnavailable, DatabaseRefused, ConfigurationInvalid.
    """
    settings: dict[str, Any] = {
        "connect_timeout": 5,
        "target_session_attrs": "read-write",
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": _SILENCE_MS,
        "client_encoding": "utf-8",
    }
    try:
        given = conninfo_to_dict(libpq_url(url)).get("options") or ""
        formats = {} if runs_handlers else _NAMES_AND_FORMATS
        stated = {**_SESSION, **formats, **(session or {})}
        settings["options"] = " ".join([str(given), *(f"-c {k}={v}" for k, v in stated.items())])
        kind = psycopg.Connection if silence_s is None else WatchedConnection
        connection: psycopg.Connection[Any] = kind.connect(
            libpq_url(url),
            autocommit=autocommit,
            prepare_threshold=HANDLERS_PREPARE if runs_handlers else None,
            application_name=application_name,
            **settings,
        )
    except psycopg.ProgrammingError:
        # libpq's message quotes parts of the URL, and the password may be one.
        raise ConfigurationInvalid(
            "EVENT_BUS_DATABASE_URL can't be read: write postgresql://user:password@host:port/"
            "database, with spaces, %, @, / and # in user and password percent-encoded, and "
            "after a ? only options of libpq"
        ) from None
    except psycopg.OperationalError as error:
        if "unsupported startup parameter" in str(error):
            raise DatabaseRefused(_POOLER) from error
        if _REFUSED.search(str(error)):
            raise DatabaseRefused(
                f"PostgreSQL refuses the connection to EVENT_BUS_DATABASE_URL: "
                f"{in_a_line(error)}. Correct user, password or database, or grant access"
            ) from error
        raise DatabaseUnavailable(
            f"PostgreSQL can't be reached at EVENT_BUS_DATABASE_URL: {in_a_line(error)}. "
            "Check that it runs, accepts connections and is a primary."
        ) from error
    _refuse_pooler(connection)
    _refuse_encoding(connection)
    if runs_handlers:
        # At the start of a session this would also reset the order in which dates are read.
        connection.execute("set datestyle to 'ISO'")
    if isinstance(connection, WatchedConnection) and silence_s is not None:
        connection.watch(silence_s)
    return connection


def _refuse_pooler(connection: psycopg.Connection[Any]) -> None:
    """Raises DatabaseRefused where a pooler has answered instead of the server.

    It would hide a crash or failover of the server, and may run each transaction in another session
    (H48). It reports another process id than the server's, since it cancels queries itself.
    """
    with connection.cursor(row_factory=scalar_row) as cursor:
        served_by = cursor.execute("select pg_backend_pid()").fetchone()
    if not connection.autocommit:
        connection.rollback()
    if served_by != connection.info.backend_pid:
        connection.close()
        raise DatabaseRefused(_POOLER)


def _refuse_encoding(connection: psycopg.Connection[Any]) -> None:
    """Raises DatabaseRefused for a database that can't hold every character, or checks none."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding not in (None, _ENCODING):
        connection.close()
        raise DatabaseRefused(
            f"the database of EVENT_BUS_DATABASE_URL has the encoding {encoding}, events need "
            f"{_ENCODING}. Create one with: create database ... encoding 'UTF8' template template0"
        )


def storable(text: str) -> str:
    """Makes a string storable in text, jsonb and JSON.

    U+0000 and halves of surrogate pairs become U+FFFD.
    """
    return (
        text.replace("\0", "\ufffd")
        .encode("utf-16-le", "surrogatepass")
        .decode("utf-16-le", "replace")
    )
