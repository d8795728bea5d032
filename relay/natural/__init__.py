"""Converts Python values to natural JSON, and back by the type hints of a class's fields."""

from relay.natural.records import JsonRecord, Part, arguments, json_name
from relay.natural.values import (
    PLAIN,
    Mistyped,
    RecordJson,
    base64_text,
    from_base64,
    in_one_line,
    natural,
)

__all__ = [
    "PLAIN",
    "JsonRecord",
    "Mistyped",
    "Part",
    "RecordJson",
    "arguments",
    "base64_text",
    "from_base64",
    "in_one_line",
    "json_name",
    "natural",
]
