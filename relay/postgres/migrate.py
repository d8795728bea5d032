"""Brings the database's tables to this version's form."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from relay.errors import ConfigurationInvalid, DatabaseUnavailable, in_a_line
from relay.postgres.connect import connect, sqlalchemy_url
from relay.postgres.sqlfile import load

__all__ = ["VERSION_TABLE", "migrate", "wanted_revision"]

# Alembic's options for the table that holds the revision of a database.
VERSION_TABLE: Final[dict[str, Any]] = {
    "version_table": "migrations",
    "version_table_schema": "outbox",
}

# Two migrations at once wait for each other instead of failing half way.
_MIGRATION_LOCK = 0x6F7574626F78


def migrate(database_url: str) -> None:
    """Runs the revisions that the database lacks, and grants the writers' role what it lacks.

    Doing it again changes nothing. Raises ConfigurationInvalid for a database at a revision that
    this version does not know, DatabaseUnavailable.
    """
    # A URL that can't be read and a server that is away are reported in the same words everywhere.
    connect(database_url).close()
    config = _config()
    engine = sqlalchemy.create_engine(
        sqlalchemy_url(database_url), poolclass=sqlalchemy.pool.NullPool
    )
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"select pg_advisory_lock({_MIGRATION_LOCK})")
            _refuse_unknown(connection, config)
            connection.commit()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.exec_driver_sql(load(__package__, "grant_writers.sql").decode())
            connection.commit()
    except sqlalchemy.exc.OperationalError as error:
        raise DatabaseUnavailable(
            f"the migrations could not run, PostgreSQL says: {in_a_line(error.orig or error)}. "
            "Check EVENT_BUS_DATABASE_URL and that the server is up."
        ) from error


def wanted_revision() -> str | None:
    """The revision that this version of the relay works with."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _refuse_unknown(connection: sqlalchemy.Connection, config: Config) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    context = MigrationContext.configure(connection, opts=VERSION_TABLE)
    if unknown := sorted(set(context.get_current_heads()) - known):
        raise ConfigurationInvalid(
            f"the database is at revision {', '.join(unknown)}, which this version of relay does "
            "not know and can't migrate: use the version that wrote its tables, or set "
            "EVENT_BUS_DATABASE_URL to an empty database. To give up all events that it holds: "
            "drop schema if exists outbox, inbox, registry cascade, then relay migrate"
        )
