"""The probe against the compatibility rules, on generated pairs of schemas."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.schema.avro.parse import parse
from relay.schema.checks.probe import Direction, ProbeOutcome, probe
from relay.schema.compatibility import findings
from tests.unit.review_schemas import record

SCALARS = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]
NOT_TEXT = "these bytes are not UTF-8 text"


def named(field: str) -> list[Any]:
    """Types with a name that differ in what they hold."""
    enums: list[dict[str, Any]] = [
        {"symbols": ["A"]},
        {"symbols": ["A", "B"]},
        {"symbols": ["A"], "default": "A"},
    ]
    records: list[list[Any]] = [
        [("k", "int")],
        [("k", "long")],
        [("k", "int"), ("l", "int")],
        [("l", "int", 0)],
    ]
    return [
        *({"type": "enum", "name": f"E{field}", **enum} for enum in enums),
        *({"type": "fixed", "name": f"F{field}", "size": size} for size in (1, 2)),
        *(record(*fields, name=f"R{field}") for fields in records),
    ]


def types(field: str) -> st.SearchStrategy[Any]:
    flat = st.sampled_from([*SCALARS, *named(field)])
    unions = st.lists(flat, min_size=1, max_size=3, unique_by=_branch)
    wrapped = flat | unions
    return (
        wrapped
        | wrapped.map(lambda of: {"type": "array", "items": of})
        | wrapped.map(lambda of: {"type": "map", "values": of})
    )


def _branch(of: Any) -> str:
    return of if isinstance(of, str) else str(of["name"])


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two records with some fields alike, some of another type, and some on only one side."""
    sides: tuple[list[Any], list[Any]] = ([], [])
    for name in "abc":
        of = draw(types(name))
        other = draw(st.just(of) | types(name))
        for side, chosen in zip(sides, (of, other), strict=True):
            if draw(st.integers(0, 5)):
                side.append((name, chosen))
    return record(*sides[0]), record(*sides[1])


def compatible(reader: Any, writer: Any) -> bool:
    return not findings(parse(json.dumps(reader)), parse(json.dumps(writer)))


@settings(max_examples=300, deadline=None)
@given(pairs())
def test_the_probe_fails_where_the_rules_forbid_on_bytes_that_are_not_text_and_on_rounding(
    pair: tuple[Any, Any],
) -> None:
    old, new = pair
    failures = probe(old, new)

    for direction, reader, writer in (
        (Direction.BACKWARD, new, old),
        (Direction.FORWARD, old, new),
    ):
        mine = [f for f in failures if f.direction is direction]
        if compatible(reader, writer):
            misread = ProbeOutcome.MISREAD
            assert all(NOT_TEXT in f.problem or f.outcome is misread for f in mine)
        else:
            assert any(f.outcome is ProbeOutcome.UNREADABLE for f in mine)
