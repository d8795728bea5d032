"""Writes values with one schema and reads them with the other, in both directions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from time import monotonic
from typing import Any

from relay.errors import CatalogInvalid, PayloadInvalid
from relay.schema.avro.decoder import compile_decoder, compile_resolver
from relay.schema.avro.nodes import Schema
from relay.schema.avro.parse import read_schema
from relay.schema.avro.plain import plain_schema, read, write
from relay.schema.avro.resolver import resolution
from relay.schema.checks.resolution import UNREAD, Fault, faults
from relay.schema.checks.samples import TooLarge, samples
from relay.schema.checks.words import ROOT, cut

__all__ = ["Direction", "ProbeFailure", "ProbeOutcome", "Side", "probe"]

# Values and seconds for each direction; characters of a payload or an error that are shown.
VALUES = 500
SECONDS = 5.0
SHOWN = 500


class Direction(StrEnum):
    """Which version writes and which reads."""

    BACKWARD = "backward"
    FORWARD = "forward"

    @property
    def words(self) -> str:
        """The direction in a sentence."""
        if self is Direction.BACKWARD:
            return "events of the old version, read with the new one"
        return "events of the new version, read with the old one"


class ProbeOutcome(StrEnum):
    """Why the reader did not get a value."""

    UNREADABLE = "unreadable"
    MISREAD = "misread"
    NOT_PROBED = "not-probed"


@dataclass(frozen=True)
class ProbeFailure:
    """A value that the reader did not get; the first one of its path and problem.

    path: JSONPath in the reader's shape, `$` where no part can be blamed. value: what was written
    there, as the payload has it. payload: the whole payload as JSON, cut to 500 characters.
    """

    direction: Direction
    outcome: ProbeOutcome
    path: str
    value: str
    problem: str
    payload: str

    @property
    def sentence(self) -> str:
        """The failure in one line."""
        return (
            f"{self.direction.words}: {self.path} is {self.outcome}: {self.value}: {self.problem}"
        )


def probe(old: Schema, new: Schema, *, seconds: float = SECONDS) -> list[ProbeFailure]:
    """Writes values with one schema and reads them with the other; returns what fails.

    old, new: JSON of the schemas as parsed from .avsc files. seconds: for each direction, after
    which it ends with a failure of its own. Values cover the edge cases of every type, every
    branch and symbol. What was read is compared with Avro's rules, and logical types are
    interpreted by each side's own schema, as most clients do: a decimal whose scale changed is
    a failure. The same schemas give the same failures.
    Raises CatalogInvalid when one of them is not an Avro schema.
    """
    one, other = Side(old), Side(new)
    return [
        *_across(Direction.BACKWARD, one, other, seconds),
        *_across(Direction.FORWARD, other, one, seconds),
    ]


class Side:
    """A schema with what writes and reads its values."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.node = read_schema(schema)
        self.decode = compile_decoder(schema)

    def encode(self, value: Any) -> bytes:
        """Avro binary of a value of `samples`."""
        return write(self.node, value)


class _Pair:
    """A writer and a reader."""

    def __init__(self, writer: Side, reader: Side) -> None:
        self.writer = writer
        self.reader = reader
        self._schema = plain_schema(writer.node)
        # Defaults are not compared, since nothing was written.
        self._resolve = resolution(writer.node, reader.node, lambda _: None, plain=True)

    def plain(self, encoded: bytes) -> Any:
        """What the reader gets, without logical types. Raises PayloadInvalid."""
        return self._resolve(read(BytesIO(encoded), self._schema))

    def natural(self, encoded: bytes) -> Any:
        """What a consumer gets. Raises PayloadInvalid, CatalogInvalid."""
        return compile_resolver(self.writer.schema, self.reader.schema)(encoded)


def _across(
    direction: Direction, writer: Side, reader: Side, seconds: float
) -> Iterator[ProbeFailure]:
    end = monotonic() + seconds
    pair = _Pair(writer, reader)

    def not_probed(problem: str, value: str = "all values") -> ProbeFailure:
        return ProbeFailure(direction, ProbeOutcome.NOT_PROBED, ROOT, value, problem, "")

    try:
        written = samples(writer.node, limit=VALUES)
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
        for failure in _attempt(direction, pair, value):
            # A misreading is reported once per place, other outcomes once per reason.
            problem = "" if failure.outcome is ProbeOutcome.MISREAD else failure.problem
            if (failure.path, problem) not in seen:
                seen.add((failure.path, problem))
                yield failure


def _attempt(direction: Direction, pair: _Pair, value: Any) -> Iterator[ProbeFailure]:
    writer, reader = pair.writer, pair.reader
    encoded = writer.encode(value)
    raised: Fault | None = None
    try:
        got = pair.plain(encoded)
        pair.natural(encoded)
    except PayloadInvalid as error:
        got = UNREAD
        raised = Fault("blocked", error.path, None, error.problem[:SHOWN])
    except CatalogInvalid as error:
        got = UNREAD
        raised = Fault("blocked", ROOT, None, str(error)[:SHOWN])
    found = list(faults(writer.node, reader.node, value, got))
    if raised is not None and not found:
        found.append(raised)
    for fault in found:
        outcome = ProbeOutcome.UNREADABLE if fault.kind == "blocked" else ProbeOutcome.MISREAD
        payload = _payload(writer, encoded)
        part = fault.shown or payload
        yield ProbeFailure(direction, outcome, fault.path, part, fault.problem, payload)


def _payload(side: Side, encoded: bytes) -> str:
    try:
        return cut(json.dumps(side.decode(encoded), ensure_ascii=False), SHOWN)
    except PayloadInvalid as error:
        return f"can't be written as JSON: {error}"[:SHOWN]
