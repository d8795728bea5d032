"""A position record says the same after it has been written and read."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.capture.position import Position, Snapshot
from relay.errors import PositionRefused
from relay.postgres.identity import Identity
from relay.publish.record import PositionRecord
from tests.unit.test_holds import held
from tests.unit.test_position import steps

BIGINT = st.integers(0, 2**63 - 1)


@st.composite
def records(draw: st.DrawFn) -> PositionRecord:
    """Any record; names and reasons have any character."""
    topics = st.text(max_size=20)
    return PositionRecord(
        number=draw(BIGINT),
        shard=draw(st.integers(0, 255)),
        shards=256,
        identity=Identity(
            str(draw(st.integers(0, 2**64 - 1))), draw(st.integers(1, 2**32)), draw(BIGINT)
        ),
        position=draw(steps()).position(),
        steps=tuple(draw(st.lists(steps(), max_size=3))),
        not_produced=tuple(draw(st.lists(held(), max_size=3))),
        released=tuple(draw(st.lists(BIGINT, max_size=3))),
        ends=draw(
            st.dictionaries(topics, st.dictionaries(st.integers(0, 999), BIGINT, max_size=3))
        ),
        partitions=draw(st.dictionaries(topics, st.integers(1, 999), max_size=3)),
    )


@given(records())
def test_a_record_is_read_back_from_its_bytes(record: PositionRecord) -> None:
    read = PositionRecord.from_bytes(record.to_bytes())
    assert read == record
    # Two holds are equal by seq alone, hence what stands in them as well
    assert read.to_json() == record.to_json()


@given(records())
def test_a_record_is_read_back_from_the_databases_mirror(record: PositionRecord) -> None:
    """jsonb gives back equal values, with keys in another order."""
    mirrored: dict[str, Any] = orjson.loads(
        orjson.dumps(record.to_json(), None, orjson.OPT_SORT_KEYS)
    )
    assert PositionRecord.from_json(mirrored) == record


SIMPLE = PositionRecord(1, 0, 4, Identity("7", 5, 1), Position(Snapshot(3, 3)))


@pytest.mark.parametrize(
    "damage",
    [
        {"version": 2},
        {"position": {"seen": "9:3:", "upto": None, "after": 0, "recovering": False}},
        {"identity": {"system": "7"}},
        {"steps": [{}]},
        {"notProduced": [{"seq": 1}]},
        {"ends": [1]},
        {"released": None},
    ],
)
def test_a_damaged_record_is_refused_and_not_guessed(damage: dict[str, Any]) -> None:
    with pytest.raises(PositionRefused, match="relay recover"):
        PositionRecord.from_json({**SIMPLE.to_json(), **damage})


@pytest.mark.parametrize("value", [b"", b"\x00\x00\x00\x00\x01abc", b"[]", b"null", b"7", b'"x"'])
def test_what_is_no_record_is_refused(value: bytes) -> None:
    with pytest.raises(PositionRefused, match="relay recover"):
        PositionRecord.from_bytes(value)


@pytest.mark.parametrize("missing", sorted(SIMPLE.to_json()))
def test_a_record_without_one_of_its_parts_is_refused(missing: str) -> None:
    value = SIMPLE.to_json()
    del value[missing]
    with pytest.raises(PositionRefused):
        PositionRecord.from_json(value)
