"""Loads the SQL that stands in files of its own, named by verb."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

__all__ = ["load"]


@cache
def load(package: str, name: str) -> bytes:
    """Text of the SQL file `name` in `package`'s folder `queries`, as psycopg takes it.

    package: importable package name, usually `__package__`.
    Raises FileNotFoundError when there is no such file.
    """
    return files(package).joinpath("queries", name).read_bytes()
