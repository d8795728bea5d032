"""What the commands of the review are given: who decides, a day, the database."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import psycopg

from relay.errors import ConfigurationInvalid, DatabaseUnavailable
from relay.postgres.connect import connect
from relay.settings import Settings

__all__ = ["actor_of", "database", "day_of", "reason_of"]


def actor_of(by: str | None) -> str:
    """Who decides: `by`, or the operating system's user. Raises ConfigurationInvalid."""
    if by is not None:
        if not by.strip():
            raise ConfigurationInvalid("--by is empty: give the name of who decides")
        return by.strip()
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise ConfigurationInvalid(
            "the operating system has no name for this user: give --by"
        ) from None


def reason_of(text: str | None) -> str | None:
    """Why: `text`, None where there is nothing in it to read."""
    return (text or "").strip() or None


def day_of(text: str | None) -> date | None:
    """A day to come, ISO 8601. Raises ConfigurationInvalid."""
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ConfigurationInvalid(f"--sunset {text!r} is no day: write YYYY-MM-DD") from None
    if day < datetime.now(UTC).date():
        raise ConfigurationInvalid(f"--sunset {text} has passed: give a day to come")
    return day


@contextmanager
def database(settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    """A connection that commits by statement. Raises DatabaseUnavailable, ConfigurationInvalid."""
    with connect(settings.database_url, application_name="relay schemas") as connection:
        try:
            yield connection
        except psycopg.errors.UndefinedTable:
            raise ConfigurationInvalid(
                "the database has no tables for schema versions yet. Run relay migrate"
            ) from None
        except psycopg.OperationalError as error:
            raise DatabaseUnavailable(
                f"PostgreSQL went away: {' '.join(str(error).split())}. "
                "Look with relay schemas history, then try again"
            ) from error
