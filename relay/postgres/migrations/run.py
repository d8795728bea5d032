"""Runs the SQL file of a revision as it stands."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

__all__ = ["run_sql"]


def run_sql(name: str) -> None:
    """Runs the SQL file `name` of relay/postgres in the migration's transaction.

    The text goes to the driver without parameters, so that several statements, colons and
    percent signs in it mean what they say.
    """
    driver = op.get_bind().connection.dbapi_connection
    assert driver is not None
    driver.execute(files("relay.postgres").joinpath(name).read_bytes())
