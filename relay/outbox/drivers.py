"""Which library an object is from, found without importing any."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

__all__ = ["comes_from"]


@lru_cache(maxsize=256)
def comes_from(package: str, kind: Any) -> bool:
    """Whether a class, or one that it is derived from, is defined in `package`."""
    return any(base.__module__.partition(".")[0] == package for base in kind.__mro__)
