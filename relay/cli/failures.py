"""Expected failures that are errors of Python or of a driver, as one line that says what to do."""

from __future__ import annotations

import sys
from importlib.util import find_spec

__all__ = ["EXTRAS", "explain", "missing_library"]

# Importable name of a library -> the extra that brings it, as in pyproject.toml.
EXTRAS = {
    "alembic": "cli",
    "httpx": "cli",
    "rich": "cli",
    "sqlalchemy": "cli",
    "typer": "cli",
    "yaml": "cli",
    "confluent_kafka": "worker",
    "psycopg_pool": "registry",
    "starlette": "registry",
    "uvicorn": "registry",
    "jgo": "local",
    "psutil": "local",
}


def missing_library(extra: str) -> str | None:
    """Returns what to install if a library of the extra is missing, otherwise None."""
    for library in [name for name, brought_by in EXTRAS.items() if brought_by == extra]:
        try:
            found = find_spec(library) is not None
        except ModuleNotFoundError:
            found = False
        if not found:
            return _install(library)
    return None


def explain(error: Exception) -> str | None:
    """Returns what happened and what to do, in one line; None for an error of the program itself.

    Any statement of any command may raise these, so they are explained in one place.
    """
    if isinstance(error, ModuleNotFoundError):
        library = (error.name or "").partition(".")[0]
        return _install(library) if library in EXTRAS else None
    if isinstance(error, UnicodeEncodeError) and error.reason == "surrogates not allowed":
        return f"{error.object!r} is not UTF-8. Write it in UTF-8"
    if "psycopg" not in sys.modules:
        return None
    import psycopg
    from psycopg import errors

    from relay.errors import in_a_line

    match error:
        case (
            errors.UndefinedTable()
            | errors.UndefinedColumn()
            | errors.UndefinedFunction()
            | errors.InvalidSchemaName()
        ):
            found = error.diag.message_primary
            return f"the database lacks what this version needs: {found}. Run relay migrate"
        case errors.InsufficientPrivilege():
            found = error.diag.message_primary
            return (
                f"PostgreSQL denies its user a permission: {found}. Grant it, or give "
                "another user in EVENT_BUS_DATABASE_URL"
            )
        case psycopg.OperationalError():
            return (
                f"PostgreSQL went away or could not run a statement: {in_a_line(error)}. "
                "What was decided before stands; check the server, then try again"
            )
    return None


def _install(library: str) -> str:
    return (
        f"this command needs {library}, which is not installed. "
        f'Install the extra that brings it: pip install "outbox-relay[{EXTRAS[library]}]"'
    )
