"""Connections to PostgreSQL with the options that the hot path depends on."""

from __future__ import annotations

import re
from typing import Any

import psycopg

from relay.errors import ConfigurationInvalid, DatabaseUnavailable

__all__ = ["OUTAGES", "connect", "libpq_url", "sqlalchemy_url"]

# What says that the database can't be reached (any more), and nothing about what was asked of it.
OUTAGES = (psycopg.OperationalError, psycopg.InterfaceError, DatabaseUnavailable)

_DRIVER = re.compile(r"^(postgres(?:ql)?)(\+\w+)?://")


def libpq_url(url: str) -> str:
    """`url` without a SQLAlchemy driver name: `postgresql+psycopg://` becomes `postgresql://`."""
    if not _DRIVER.match(url):
        raise ConfigurationInvalid(
            f"EVENT_BUS_DATABASE_URL is {url!r}, which is not a PostgreSQL URL: "
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
    Raises DatabaseUnavailable, ConfigurationInvalid.
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
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else repr(error)
        raise DatabaseUnavailable(
            f"PostgreSQL can't be reached as EVENT_BUS_DATABASE_URL says: {reason}. "
            "Check that it runs, accepts connections and is a primary."
        ) from error
