"""Runs the SQL file of a revision as it stands."""

from __future__ import annotations

from pathlib import Path

from alembic import op

__all__ = ["run_sql"]


def run_sql(revision: str) -> None:
    """Runs `sql/<revision>.sql` in the migration's transaction.

    The text goes to the driver without parameters, so that several statements, colons and
    percent signs in it mean what they say.
    """
    text = (Path(__file__).parent / "sql" / f"{revision}.sql").read_bytes()
    driver = op.get_bind().connection.dbapi_connection
    assert driver is not None
    driver.execute(text)
