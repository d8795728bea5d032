"""Values really written with one schema and read with the other, both ways, by fastavro."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from time import monotonic
from typing import Any

from fastavro import schemaless_reader, schemaless_writer

from relay.errors import PayloadInvalid
from relay.schema.avro.decoder import compile_decoder
from relay.schema.avro.fastavro_schema import parsed, schema_of
from relay.schema.avro.nodes import Node, Schema
from relay.schema.avro.parse import read_schema
from relay.schema.checks.comparison import differences
from relay.schema.checks.resolution import blocked_in, misread_in, resolve
from relay.schema.checks.samples import Branch, TooLarge, samples
from relay.schema.checks.words import ROOT

__all__ = ["Direction", "Failure", "Outcome", "Side", "probe", "tagged"]

VALUES = 500
SECONDS = 5.0
SHOWN = 500


class Direction(StrEnum):
    """Whose events who reads."""

    BACKWARD = "backward"
    FORWARD = "forward"

    @property
    def words(self) -> str:
        """What it means to a reviewer."""
        if self is Direction.BACKWARD:
            return "events of the old version, read with the new one"
        return "events of the new version, read with the old one"


class Outcome(StrEnum):
    """What became of a value."""

    UNREADABLE = "unreadable"
    MISREAD = "misread"
    NOT_PROBED = "not-probed"


@dataclass(frozen=True)
class Failure:
    """A value that did not get across; the first one of its place and problem.

    path: JSONPath in the reader's shape, `$` where no part can be blamed. value: what was written
    there, as the payload has it. payload: the whole payload as JSON, cut at 500 characters.
    """

    direction: Direction
    outcome: Outcome
    path: str
    value: str
    problem: str
    payload: str

    @property
    def sentence(self) -> str:
        """All of it in one line."""
        return (
            f"{self.direction.words}: {self.path} is {self.outcome}: {self.value}: {self.problem}"
        )

    def to_json(self) -> dict[str, str]:
        """The failure for programs."""
        return {
            "direction": self.direction.value,
            "outcome": self.outcome.value,
            "path": self.path,
            "value": self.value,
            "problem": self.problem,
            "payload": self.payload,
        }


def probe(
    old: Schema, new: Schema, *, seed: int = 0, values: int = VALUES, seconds: float = SECONDS
) -> list[Failure]:
    """Failures of values written with one schema and read with the other; empty when all is well.

    old, new: JSON of the schemas as parsed from .avsc files. values: at most so many each way.
    seconds: after so long each way the probe ends with a failure that says so. The same arguments
    give the same failures. Values cover the edge cases of every type, every branch and symbol.
    What was read is compared with what Avro's rules say, and logical types are taken as each
    side's own schema has them, as most clients do: a decimal whose scale changed is a failure.
    Raises CatalogInvalid when one of them is not an Avro schema.
    """
    one, other = Side(old), Side(new)
    return [
        *_across(Direction.BACKWARD, one, other, seed=seed, values=values, seconds=seconds),
        *_across(Direction.FORWARD, other, one, seed=seed, values=values, seconds=seconds),
    ]


class Side:
    """A schema as the probe needs it: plain is without logical types."""

    def __init__(self, schema: Schema) -> None:
        self.node = read_schema(schema)
        self.parsed = parsed(schema)
        self.plain = parsed(schema_of(self.node, default=lambda field: field.default))
        self.decode = compile_decoder(schema)


def _across(
    direction: Direction, writer: Side, reader: Side, *, seed: int, values: int, seconds: float
) -> Iterator[Failure]:
    end = monotonic() + seconds

    def not_probed(problem: str) -> Failure:
        return Failure(direction, Outcome.NOT_PROBED, ROOT, "all values", problem, "")

    try:
        written = samples(writer.node, seed=seed, limit=values)
    except TooLarge:
        yield not_probed("its values are too many or too large to list. Look at the schema by hand")
        return
    if not written:
        yield not_probed("the schema has no finite value. Make the recursive field nullable")
    seen: set[tuple[str, str]] = set()
    for number, value in enumerate(written):
        if monotonic() > end:
            tried = f"{number} of {len(written)} values in {seconds:g} s"
            yield not_probed(f"the probe got through {tried}. Give it more time")
            return
        for failure in _attempt(direction, writer, reader, value):
            # A misreading is reported once a place, another reason each time.
            problem = "" if failure.outcome is Outcome.MISREAD else failure.problem
            if (failure.path, problem) not in seen:
                seen.add((failure.path, problem))
                yield failure


def _attempt(direction: Direction, writer: Side, reader: Side, value: Any) -> Iterator[Failure]:
    buffer = BytesIO()
    try:
        schemaless_writer(buffer, writer.parsed, tagged(writer.node, value), strict=True)
    except Exception as error:  # fastavro lets KeyError, struct.error, ... through
        problem = f"fastavro can't write it: {type(error).__name__}: {error}"[:SHOWN]
        yield Failure(direction, Outcome.NOT_PROBED, ROOT, repr(value)[:SHOWN], problem, "")
        return
    encoded = buffer.getvalue()

    def failure(outcome: Outcome, path: str, part: str | None, problem: str) -> Failure:
        payload = _payload(writer, encoded)
        return Failure(direction, outcome, path, part or payload, problem, payload)

    expected = resolve(writer.node, reader.node, value)
    for given in misread_in(expected):
        yield failure(Outcome.MISREAD, given.path, given.shown, str(given.misread))
    try:
        got = _read(encoded, writer.plain, reader.plain)
        # Once more with fastavro's own conversions, which clients in Python run into.
        _read(encoded, writer.parsed, reader.parsed)
    except Exception as error:  # fastavro lets EOFError, KeyError, TypeError, ... through
        raised = f"{type(error).__name__}: {error}"[:SHOWN]
        blocked = list(blocked_in(expected))
        for place in blocked:
            yield failure(Outcome.UNREADABLE, place.path, place.shown, place.reason)
        if not blocked:
            yield failure(Outcome.UNREADABLE, ROOT, None, f"fastavro raises {raised}")
        return
    for difference in differences(expected, got):
        yield failure(Outcome.MISREAD, difference.path, difference.shown, difference.problem)


def _read(encoded: bytes, writer: Any, reader: Any) -> Any:
    source = BytesIO(encoded)
    value = schemaless_reader(source, writer, reader)
    if source.tell() != len(encoded):
        raise ValueError(f"{len(encoded) - source.tell()} bytes are left over")
    return value


def _payload(side: Side, encoded: bytes) -> str:
    try:
        text = json.dumps(side.decode(encoded), ensure_ascii=False)
    except PayloadInvalid as error:
        return f"no JSON: {error}"[:SHOWN]
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def tagged(node: Node, value: Any) -> Any:
    """The value with branches as fastavro has them named: (type, value)."""
    match node.kind:
        case "union":
            assert isinstance(value, Branch)
            branch = node.branches[value.index]
            return (branch.name or branch.kind, tagged(branch, value.value))
        case "record":
            return {field.name: tagged(field.node, value[field.name]) for field in node.fields}
        case "array":
            return [tagged(node.element, item) for item in value]
        case "map":
            return {key: tagged(node.element, item) for key, item in value.items()}
    return value
