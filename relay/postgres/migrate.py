"""Migrates a database to this version's schema."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import sqlalchemy
from alembic import command, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from relay.errors import ConfigurationInvalid, DatabaseUnavailable, in_a_line
from relay.postgres import partitions
from relay.postgres.connect import connect
from relay.postgres.sqlfile import load

__all__ = ["VERSION_TABLE", "migrate", "run_sql", "wanted_revision"]

# Alembic's options for the table that holds the revision of a database.
VERSION_TABLE: Final[dict[str, Any]] = {
    "version_table": "migrations",
    "version_table_schema": "outbox",
}

# Makes concurrent migrations wait for each other.
_MIGRATION_LOCK = 0x6F7574626F78


def migrate(database_url: str, *, monthly: bool = False) -> None:
    """Runs the missing revisions, grants the writers' role its missing privileges, and makes the
    next months' partitions.

    monthly: with partitions, for a database without an outbox or with a partitioned one.
    Idempotent. Raises ConfigurationInvalid for a database at a revision that this version does
    not know, DatabaseUnavailable, DatabaseRefused.
    """
    if monthly:
        with connect(database_url) as connection:
            partitions.refuse(connection)
    config = _config()
    config.attributes["monthly"] = monthly
    # The URL is libpq's, which may name several hosts.
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect(database_url, application_name="relay migrate", autocommit=False),
        poolclass=sqlalchemy.pool.NullPool,
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
            f"the migrations failed, PostgreSQL reports: {in_a_line(error.orig or error)}. "
            "Check EVENT_BUS_DATABASE_URL and that the server is up."
        ) from error
    with connect(database_url) as connection:
        partitions.keep(connection)


def wanted_revision() -> str | None:
    """Returns the revision that this version of the relay works with."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def run_sql(name: str) -> None:
    """Runs the SQL file `name` of relay/postgres in a revision's transaction.

    It goes to the driver without parameters, so several statements, colons and percent signs work.
    """
    config = op.get_context().config
    driver = op.get_bind().connection.dbapi_connection
    assert driver is not None
    assert config is not None
    statements = files(__package__).joinpath(name).read_text("utf-8")
    if config.attributes["monthly"]:
        statements = partitions.with_partitions(statements)
    driver.execute(statements.encode())


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
            "EVENT_BUS_DATABASE_URL to an empty database. To discard all events in it: "
            "drop schema if exists outbox, inbox, registry cascade, then relay migrate"
        )
