"""`relay schemas check` is red whenever a consumer does not get what was written."""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import datetime
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.errors import PayloadInvalid
from relay.schema.avro.decoder import compile_decoder, compile_resolver
from relay.schema.avro.parse import read_schema
from relay.schema.avro.plain import write
from relay.schema.checks.base import Earlier
from relay.schema.checks.check import check
from relay.schema.checks.plan import Status, Task
from relay.schema.checks.samples import samples

NUMBERS = ["int", "long", "float", "double"]
LOGICAL = [
    {"type": "int", "logicalType": "date"},
    {"type": "int", "logicalType": "time-millis"},
    {"type": "long", "logicalType": "time-micros"},
    *(
        {"type": "long", "logicalType": f"{local}timestamp-{unit}"}
        for local in ("", "local-")
        for unit in ("millis", "micros", "nanos")
    ),
    {"type": "string", "logicalType": "uuid"},
    *(
        {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}
        for precision, scale in ((4, 2), (9, 2), (9, 4))
    ),
]
NAMED: list[Any] = [
    *({"type": "fixed", "name": "F", "size": size} for size in (2, 16)),
    {"type": "fixed", "name": "F", "size": 16, "logicalType": "uuid"},
    {"type": "fixed", "name": "F", "size": 2, "logicalType": "decimal", "precision": 4, "scale": 2},
    {"type": "enum", "name": "E", "symbols": ["A", "B"]},
    {"type": "enum", "name": "E", "symbols": ["B", "C"]},
    {"type": "enum", "name": "E", "symbols": ["A", "C"], "default": "C"},
]
# Types that become each other in a new version: promotions and logical types.
FAMILIES: list[list[Any]] = [
    [*NUMBERS, *(of for of in LOGICAL if of["type"] in {"int", "long"})],
    ["string", "bytes", *(of for of in LOGICAL if of["type"] in {"string", "bytes"})],
    [of for of in NAMED if of["name"] == "F"],
    [of for of in NAMED if of["name"] == "E"],
    ["boolean", "int", "string"],
]
FAMILY = st.sampled_from([FAMILIES[n] for n in (0, 0, 0, 1, 1, 2, 3, 4)])


def record(*fields: Any) -> dict[str, Any]:
    return {"type": "record", "name": "shop.Paid", "doc": "d", "fields": list(fields)}


def _key(branch: Any) -> str:
    return branch if isinstance(branch, str) else str(branch.get("name", branch["type"]))


def unions(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(of | st.just("null"), min_size=1, max_size=4, unique_by=_key)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two types of a field, alike in shape."""
    scalars = st.sampled_from(draw(FAMILY))
    some = scalars | scalars | unions(scalars)
    old, new = draw(some), draw(some)
    match draw(st.sampled_from(["plain", "plain", "array", "map", "record"])):
        case "array":
            return {"type": "array", "items": old}, {"type": "array", "items": new}
        case "map":
            return {"type": "map", "values": old}, {"type": "map", "values": new}
        case "record":
            return _line(old), _line(new)
    return old, new


def _line(of: Any) -> dict[str, Any]:
    return {"type": "record", "name": "L", "fields": [{"name": "y", "type": of}]}


@settings(
    max_examples=250, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(pairs(), st.randoms(use_true_random=False))
def test_what_a_consumer_does_not_get_as_it_was_written_is_an_error_of_the_check(
    pair: tuple[Any, Any], random: Any
) -> None:
    # Given
    old, new = (record({"name": "x", "doc": "d", "type": of}) for of in pair)
    root = read_schema(old)
    values = samples(root, limit=60, seed=random.randrange(1000))
    # When
    lost = next((value for value in values if _is_lost(old, new, write(root, value))), None)
    # Then
    if lost is not None:
        task = Task(
            "e", "e@2", Status.NEW, "BACKWARD", new, None, (Earlier("e@1", 1, old),), ()
        )  # fmt: skip
        assert not check(task).passed, (old, new, lost)


def _is_lost(old: Any, new: Any, encoded: bytes) -> bool:
    try:
        written = compile_decoder(old)(encoded)
        got = compile_resolver(old, new)(encoded)
    except PayloadInvalid:
        return True
    return not _same(written["x"], got["x"])


def _same(written: Any, got: Any) -> bool:
    """Compares natural JSON without regard to the types of the schemas."""
    match written, got:
        case bool(), _:
            return written is got
        case int() | float(), int() | float():
            return written == got and not isinstance(got, bool)
        case list(), list():
            return len(written) == len(got) and all(map(_same, written, got))
        case dict(), dict():
            return written.keys() == got.keys() and all(_same(written[k], got[k]) for k in got)
        case str(), str():
            # C is what the enum's default makes of unknown symbols.
            if got in {written, "C"} or _as_bytes(written, got) or _as_bytes(got, written):
                return True
            return any(_alike(read, written, got) for read in READINGS)
    return written is got


def _as_bytes(text: str, base64: str) -> bool:
    return base64 == b64encode(text.encode()).decode()


def _alike(read: Any, written: str, got: str) -> bool:
    try:
        return bool(read(written) == read(got))
    except (ValueError, ArithmeticError):
        return False


def _as_timestamp(text: str) -> Any:
    if "T" not in text:
        raise ValueError(text)
    body = text.removesuffix("Z")
    whole, _, fraction = body.partition(".")
    return datetime.fromisoformat(whole), fraction.ljust(9, "0"), body == text


def _as_decimal(text: str) -> Decimal:
    if "." not in text:
        raise ValueError(text)
    return Decimal(text)


def _as_time(text: str) -> tuple[str, str]:
    if text[2:3] != ":":
        raise ValueError(text)
    whole, _, fraction = text.partition(".")
    return whole, fraction.ljust(6, "0")


READINGS = (_as_timestamp, _as_decimal, _as_time)


def test_text_becomes_the_same_bytes() -> None:
    writer, reader = (record({"name": "a", "type": of}) for of in ("string", "bytes"))
    encoded = write(read_schema(writer), {"a": "abcd"})

    assert b64decode(compile_resolver(writer, reader)(encoded)["a"]) == b"abcd"
