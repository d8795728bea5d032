"""What holds for every pair of schemas."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from relay.registry.schema import normal
from relay.schema.avro.invalid import SchemaInvalid
from relay.schema.avro.parse import parse
from relay.schema.compatibility import Finding, findings
from relay.schema.compatibility.check import Check
from tests.oracle.pairs import pair
from tests.unit.avro_cases import schemas

pairs = st.builds(pair, st.integers(0, 2**32), st.integers(0, 2**32))


def found(texts: tuple[str, str]) -> list[Finding]:
    try:
        return findings(*map(parse, texts))
    except SchemaInvalid:
        assume(False)
        raise


@given(schemas())
def test_a_schema_reads_itself(schema: Any) -> None:
    text = json.dumps(schema)

    assert findings(parse(text), parse(text)) == []


@given(pairs)
def test_findings_are_the_same_each_time(texts: tuple[str, str]) -> None:
    assert found(texts) == found(texts)


@given(pairs)
def test_there_are_findings_exactly_when_the_verdict_is_incompatible(
    texts: tuple[str, str],
) -> None:
    reasons = found(texts)

    assert Check(*map(parse, texts)).compatible == (not reasons)


@given(pairs)
def test_every_path_leads_to_a_place_in_the_readers_schema(texts: tuple[str, str]) -> None:
    ahead = found(texts)
    # Which has the same places and full names.
    schema = json.loads(normal(texts[0], new=False))
    while ahead:
        finding = ahead.pop()
        follow(schema, finding.path)
        ahead += finding.because


@given(pairs)
def test_the_verdict_is_the_same_within_a_container(texts: tuple[str, str]) -> None:
    alone = found(texts)

    for kind, key in (("array", "items"), ("map", "values")):
        reader, writer = (f'{{"type": "{kind}", "{key}": {text}}}' for text in texts)
        within = found((reader, writer))
        assert [(one.rule, one.path.replace(f"$.{key}", "$", 1)) for one in within] == [
            (one.rule, one.path) for one in alone
        ]


def follow(schema: Any, path: str) -> None:
    """Goes down a JSON path, past names to what they stand for; fails where it ends early."""
    defined: dict[str, Any] = {}
    collect(schema, defined)
    place = schema
    for key, index in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        if isinstance(place, str):
            place = defined[place]
        assert key != "size" or isinstance(place["size"], int)
        place = place[key] if key else place[int(index)]


def collect(schema: Any, defined: dict[str, Any]) -> None:
    if isinstance(schema, list):
        for one in schema:
            collect(one, defined)
    elif isinstance(schema, dict):
        if schema.get("type") in ("record", "error", "enum", "fixed"):
            defined[schema["name"]] = schema
        for one in schema.values():
            collect(one, defined)
