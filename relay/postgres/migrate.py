"""Brings the database's tables to this version's form."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.config import Config

from relay.errors import DatabaseUnavailable, in_a_line
from relay.postgres.connect import connect, sqlalchemy_url
from relay.postgres.sqlfile import load

__all__ = ["migrate"]

# Two migrations at once wait for each other instead of failing half way.
_MIGRATION_LOCK = 0x6F7574626F78


def migrate(database_url: str, revision: str = "head") -> None:
    """Runs all migrations up to `revision`, and grants the writers' role what it lacks, if it was
    created since; doing it again changes nothing.

    Raises DatabaseUnavailable, ConfigurationInvalid.
    """
    # A URL that can't be read and a server that is away are told in the same words everywhere.
    connect(database_url).close()
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    engine = sqlalchemy.create_engine(
        sqlalchemy_url(database_url), poolclass=sqlalchemy.pool.NullPool
    )
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"select pg_advisory_lock({_MIGRATION_LOCK})")
            connection.commit()
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            if revision == "head":
                connection.exec_driver_sql(load(__package__, "grant_writers.sql").decode())
            connection.commit()
    except sqlalchemy.exc.OperationalError as error:
        raise DatabaseUnavailable(
            f"the migrations could not run, PostgreSQL says: {in_a_line(error.orig or error)}. "
            "Check EVENT_BUS_DATABASE_URL and that the server is up."
        ) from error
