"""Connections to PostgreSQL with the options that the hot path depends on."""

from __future__ import annotations

import re
from typing import Any

import psycopg

from relay.errors import (
    ConfigurationInvalid,
    DatabaseRefused,
    DatabaseUnavailable,
    in_a_line,
)

__all__ = ["OUTAGES", "connect", "libpq_url", "sqlalchemy_url", "storable"]

# What says that the database can't be reached or written to (any more), and nothing about what was
# asked of it. The server's own words for the last three are errors of a transaction's state.
OUTAGES = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    DatabaseUnavailable,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.TransactionTimeout,
)

# libpq has no SQLSTATE for a refused connection, only the server's words.
_REFUSED = re.compile(
    r"authentication failed|no pg_hba\.conf entry|(?:role|database) \S+ does not exist"
    r"|not permitted to log in|permission denied for database|no password supplied"
)
_DRIVER = re.compile(r"^(postgres(?:ql)?)(\+\w+)?://")


def libpq_url(url: str) -> str:
    """`url` without a SQLAlchemy driver name: `postgresql+psycopg://` becomes `postgresql://`."""
    if not _DRIVER.match(url):
        raise ConfigurationInvalid(
            "EVENT_BUS_DATABASE_URL is not a PostgreSQL URL: "
            "write postgresql://user:password@host:port/database"
        )
    return _DRIVER.sub("postgresql://", url)


def sqlalchemy_url(url: str) -> str:
    """`url` as SQLAlchemy wants it for psycopg 3."""
    return _DRIVER.sub("postgresql+psycopg://", libpq_url(url))


def connect(
    url: str, *, application_name: str = "relay", autocommit: bool = True, **options: Any
) -> psycopg.Connection[Any]:
    """A connection to the primary, in autocommit mode unless told otherwise.

    Statements are never prepared on the server: from its tenth run a prepared page statement
    would get a generic plan that walks the whole seq index, and pgbouncer wants it so as well.
    A standby is refused, since its snapshots are not the primary's.
    Raises DatabaseUnavailable, DatabaseRefused, ConfigurationInvalid.
    """
    settings: dict[str, Any] = {
        "connect_timeout": 5,
        "target_session_attrs": "read-write",
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }
    settings.update(options)
    try:
        return psycopg.connect(
            libpq_url(url),
            autocommit=autocommit,
            prepare_threshold=None,
            application_name=application_name,
            **settings,
        )
    except psycopg.ProgrammingError:
        # What libpq says of it has parts of the URL, and the password may be one.
        raise ConfigurationInvalid(
            "EVENT_BUS_DATABASE_URL can't be read: write postgresql://user:password@host:port/"
            "database, with spaces, %, @, / and # in user and password percent-encoded, and "
            "behind a ? only what libpq knows"
        ) from None
    except psycopg.OperationalError as error:
        if _REFUSED.search(str(error)):
            raise DatabaseRefused(
                f"PostgreSQL refuses the connection that EVENT_BUS_DATABASE_URL asks for: "
                f"{in_a_line(error)}. Correct user, password or database, or grant the access"
            ) from error
        raise DatabaseUnavailable(
            f"PostgreSQL can't be reached as EVENT_BUS_DATABASE_URL says: {in_a_line(error)}. "
            "Check that it runs, accepts connections and is a primary."
        ) from error


def storable(text: str) -> str:
    """`text` as PostgreSQL, in text and jsonb, and JSON keep it.

    U+0000 and halves of surrogate pairs become U+FFFD.
    """
    return (
        text.replace("\0", "\ufffd")
        .encode("utf-16-le", "surrogatepass")
        .decode("utf-16-le", "replace")
    )
