"""Schemas that a test changes in one place."""

from __future__ import annotations

from typing import Any

__all__ = ["field", "record"]


def record(*fields: Any, **more: Any) -> dict[str, Any]:
    """A record R. more: other properties, or other values of its own."""
    return {"type": "record", "name": "R", "fields": list(fields), **more}


def field(kind: Any, **more: Any) -> dict[str, Any]:
    """A field a."""
    return {"name": "a", "type": kind, **more}
