"""The error for schemas that are not valid."""

from __future__ import annotations

import json
from typing import Any

from relay.errors import CatalogInvalid

__all__ = ["SchemaInvalid", "quoted"]

_SHOWN = 60


class SchemaInvalid(CatalogInvalid):
    """Not an Avro schema, or not one that the encoder supports. path: JSON path of the error."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


def quoted(value: Any) -> str:
    """Returns a value of a schema's JSON for a message, cut to 60 characters."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
