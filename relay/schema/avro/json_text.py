"""Reads JSON texts: schemas with comments, and numbers of any length."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

__all__ = ["exact_json", "schema_json", "without_comments"]

# orjson reads whole numbers of 64 bits and more as the nearest double.
_LONG_NUMBER = re.compile(r"\d{20}")
_LONG_NUMBER_OF_BYTES = re.compile(_LONG_NUMBER.pattern.encode())
# A string is matched as a whole, so that nothing in it is taken for a comment.
_STRING_OR_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|/\*.*?\*/|//[^\r\n]*', re.DOTALL)
_MARK = "\ufeff"


def exact_json(text: str | bytes) -> Any:
    """Reads JSON; whole numbers of any length are integers. Raises ValueError."""
    pattern = _LONG_NUMBER if isinstance(text, str) else _LONG_NUMBER_OF_BYTES
    return json.loads(text) if pattern.search(text) else orjson.loads(text)  # type: ignore[arg-type]


def schema_json(text: str) -> Any:
    """Reads the text of a schema, which may have comments. Raises ValueError."""
    try:
        return json.loads(text)
    except ValueError:
        plain = without_comments(text)
        if plain == text:
            raise
    return json.loads(plain)


def without_comments(text: str) -> str:
    """Returns a schema's text without a byte order mark and without comments, as JSON has it.

    Avro's parsers for Java take `//` and `/* */`. A text without them is returned as it is.
    """
    text = text.removeprefix(_MARK)
    return _STRING_OR_COMMENT.sub(_kept, text) if "/" in text else text


def _kept(found: re.Match[str]) -> str:
    return found[0] if found[0].startswith('"') else " "
