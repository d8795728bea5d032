"""Logical types: which are understood, and what a decimal must be.

Source: Apache Avro 1.12 specification, "Logical Types".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["LOGICAL", "MOST_DIGITS", "decimal_problem", "form_of"]

# (physical type, logicalType) pairs that are understood; all others mean the physical type.
LOGICAL = frozenset(
    {
        ("int", "date"),
        ("int", "time-millis"),
        ("long", "time-micros"),
        ("long", "timestamp-millis"),
        ("long", "timestamp-micros"),
        ("long", "timestamp-nanos"),
        ("long", "local-timestamp-millis"),
        ("long", "local-timestamp-micros"),
        ("long", "local-timestamp-nanos"),
        ("string", "uuid"),
        ("fixed", "uuid"),
        ("bytes", "decimal"),
        ("fixed", "decimal"),
    }
)
# More digits than anybody counts; powers of ten of a misprint would take minutes.
MOST_DIGITS = 10_000


def form_of(kind: str, json: Mapping[str, Any]) -> str:
    """The logical type of a type that is written as `json`; `kind` where none is understood."""
    logical = json.get("logicalType")
    if not isinstance(logical, str) or (kind, logical) not in LOGICAL:
        return kind
    if logical == "uuid" and kind == "fixed" and json["size"] != 16:
        return kind
    return kind if logical == "decimal" and decimal_problem(kind, json) else logical


def decimal_problem(kind: str, json: Mapping[str, Any]) -> str:
    """What is wrong with precision and scale of a decimal, empty when nothing is."""
    precision, scale = json.get("precision"), json.get("scale", 0)
    if type(precision) is not int or type(scale) is not int or not 0 <= scale <= precision > 0:
        return (
            f"decimal({precision}, {scale}). Give a precision above 0 and a scale between 0 and "
            "the precision"
        )
    if precision > MOST_DIGITS:
        return (
            f"decimal({precision}, {scale}) has more than {MOST_DIGITS:,} digits. "
            "Lower the precision"
        )
    if kind == "fixed":
        size = json["size"]
        room = int((8 * size - 1) * 0.30102999566398119)
        if precision > room:
            return (
                f"{size} bytes hold {room} digits, not {precision}. "
                "Raise the size or lower the precision"
            )
    return ""
