"""The encoder against fastavro and against its own slow path, on generated cases."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal, getcontext
from io import BytesIO
from typing import Any

from fastavro import parse_schema, schemaless_reader
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.errors import PayloadInvalid
from relay.schema.avro.decoder import compile_decoder, decode
from relay.schema.avro.encoder import compile_encoder
from relay.schema.avro.parse import read_schema
from relay.schema.avro.slow_path import encode_slowly
from relay.schema.avro.varint import long_bytes
from tests.unit.avro_cases import cases, json_values

getcontext().prec = 60
SLOW = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


@SLOW
@given(st.data())
def test_fastavro_reads_what_the_encoder_writes(data: st.DataObject) -> None:
    case = data.draw(cases())
    natural, expected = data.draw(case.values)

    encoded = compile_encoder(case.schema)(natural)

    source = BytesIO(encoded)
    assert _comparable(schemaless_reader(source, parse_schema(case.schema))) == _comparable(
        expected
    )
    assert source.read() == b""


@SLOW
@given(st.data())
def test_natural_json_is_decoded_as_it_was_encoded(data: st.DataObject) -> None:
    case = data.draw(cases())
    natural, _ = data.draw(case.values)

    encoded = compile_encoder(case.schema)(natural)

    assert compile_decoder(case.schema)(encoded) == natural
    assert decode(case.schema, case.schema, encoded) == natural


@SLOW
@given(st.data())
def test_the_generated_code_accepts_nothing_that_the_slow_path_refuses(
    data: st.DataObject,
) -> None:
    case = data.draw(cases())
    natural, _ = data.draw(case.values)
    changed = data.draw(changes(natural))

    assert _outcome(compile_encoder(case.schema), changed) == _outcome(
        lambda value: encode_slowly(read_schema(case.schema), value), changed
    )


def _outcome(encode: Any, value: Any) -> bytes | tuple[str, str]:
    try:
        result: bytes = encode(value)
        return result
    except PayloadInvalid as refused:
        return refused.path, refused.problem


def changes(value: Any) -> st.SearchStrategy[Any]:
    """The value with one place replaced by something else, a key more or a key less."""
    options = [json_values()]
    if isinstance(value, dict) and value:
        keys = sorted(value)
        options += [
            st.sampled_from(keys).flatmap(
                lambda key: changes(value[key]).map(lambda new: {**value, key: new})
            ),
            st.sampled_from(keys).map(lambda key: {k: v for k, v in value.items() if k != key}),
            json_values().map(lambda new: {**value, "unknown": new}),
        ]
    if isinstance(value, list) and value:
        options.append(
            st.integers(0, len(value) - 1).flatmap(
                lambda at: changes(value[at]).map(lambda new: [*value[:at], new, *value[at + 1 :]])
            )
        )
    if isinstance(value, str):
        options += [
            st.sampled_from(list("zZ ٣_-.+0")).map(lambda extra: value + extra),
            st.integers(0, max(len(value) - 1, 0)).flatmap(
                lambda at: st.sampled_from(list("0٣_ -:T")).map(
                    lambda char: value[:at] + char + value[at + 1 :]
                )
            ),
        ]
    return st.one_of(options)


def _comparable(value: Any) -> Any:
    """Values with decimals as text, since 0.0 == 0.00 although the scale differs."""
    if isinstance(value, Decimal):
        return f"decimal {value:f}"
    if isinstance(value, dict):
        return {key: _comparable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    return value


@given(
    st.sampled_from([("millis", 10**3), ("micros", 10**6)]),
    st.integers(1, 2**17),
    st.integers(-3, 3) | st.integers(-(10**6), 10**6),
)
def test_timestamps_are_right_on_both_sides_of_a_carry(
    unit: tuple[str, int], carries: int, near: int
) -> None:
    name, per_second = unit
    # The short cut cuts the doubled count at its 28th bit.
    count = carries * 2**27 + near
    moment = datetime(1970, 1, 1) + timedelta(microseconds=count * 10**6 // per_second)
    text = f"{moment.isoformat(timespec=name[:-1] + 'seconds')}Z"

    encoded = compile_encoder({"type": "long", "logicalType": f"timestamp-{name}"})(text)

    assert encoded == long_bytes(count)
