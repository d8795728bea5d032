"""Loads SQL files, which are named by their verb."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

__all__ = ["load"]


@cache
def load(package: str, name: str) -> bytes:
    """Reads the SQL file `name` in `package`'s folder `queries`, as psycopg takes it.

    package: importable package name, usually `__package__`.
    Raises FileNotFoundError.
    """
    return files(package).joinpath("queries", name).read_bytes()
