"""The refusal of a text that is not an Avro schema."""

from __future__ import annotations

import json
from typing import Any

from relay.errors import CatalogInvalid

__all__ = ["SchemaInvalid", "quoted"]

_SHOWN = 60


class SchemaInvalid(CatalogInvalid):
    """A text is not an Avro schema, or one that the encoder can't use.

    path: JSON path of the mistake.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


def quoted(value: Any) -> str:
    """A value of a schema's JSON for a message; the end of a long one is left out."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
