"""The five bytes before an Avro value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.kafka.frame import FrameInvalid, pack, unpack


@given(st.integers(0, 2**32 - 1), st.binary())
def test_a_framed_value_is_split_again(schema_id: int, avro: bytes) -> None:
    assert len(pack(schema_id)) == 5
    assert unpack(pack(schema_id) + avro) == (schema_id, avro)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "no value"),
        (b"", "0 bytes"),
        (b"\0\0\0\1", "4 bytes"),
        (b"\1\0\0\0\1x", "byte 1,"),
        (b"\xff\0\0\0\1x", "byte 255,"),
    ],
)
def test_a_value_without_frame_is_refused(value: bytes | None, problem: str) -> None:
    with pytest.raises(FrameInvalid, match=problem):
        unpack(value)
