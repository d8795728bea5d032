"""Compares what was read with what the rules say should have been read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from relay.schema.checks.resolution import AnyOf, Blocked, Defaulted, Expected, Given

__all__ = ["Difference", "differences"]


@dataclass(frozen=True)
class Difference:
    """A part that reads as something else. shown: what was written."""

    path: str
    shown: str
    problem: str


def differences(expected: Expected, got: Any) -> Iterator[Difference]:
    """Every part of `got` that is not what it should be, its meaning aside.

    got: as fastavro decodes without logical types. Fields that come from a default are not
    compared: fastavro hands the schema's own JSON out for them.
    """
    match expected:
        case Given():
            if not any(_same(option, got) for option in expected.options):
                problem = f"read as {_cut(got)}, should be {_cut(expected.options[0])}"
                yield Difference(expected.path, expected.shown, problem)
        case Defaulted():
            return
        case Blocked():
            problem = f"read as {_cut(got)}, though {expected.reason}"
            yield Difference(expected.path, expected.shown or "nothing", problem)
        case AnyOf():
            each = [list(differences(branch, got)) for branch in expected.branches]
            if all(each):
                yield from each[0]
        case dict():
            yield from _each(expected, got)
        case list():
            length = len(got) if isinstance(got, list) else -1
            for number, part in enumerate(expected):
                yield from differences(part, got[number] if number < length else None)


def _each(expected: dict[str, Expected], got: Any) -> Iterator[Difference]:
    values = got if isinstance(got, dict) else {}
    for name, part in expected.items():
        yield from differences(part, values.get(name))


def _same(option: Any, got: Any) -> bool:
    # repr tells -0.0 from 0.0, and with the type 1 from 1.0 and True.
    return type(option) is type(got) and repr(option) == repr(got)


def _cut(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
