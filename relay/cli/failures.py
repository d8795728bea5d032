"""Failures of the surroundings that reach the command line as a driver's or Python's own errors."""

from __future__ import annotations

import sys

__all__ = ["in_words"]


def in_words(error: Exception) -> str | None:
    """What happened and what to do, in one line; None for an error that is a fault of the program.

    Told here once, since any statement of any command may meet them.
    """
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
                f"the database refuses its user this: {found}. Grant it, or give "
                "another user in EVENT_BUS_DATABASE_URL"
            )
        case psycopg.OperationalError():
            return (
                f"PostgreSQL went away or could not do it: {in_a_line(error)}. "
                "What was decided before stands; look, then try again"
            )
    return None
