"""Deterministic values of a type with its edge cases, in the form that Avro's bytes have.

Physical values: timestamps and dates are counts, decimals their unscaled two's complement bytes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from relay.schema.avro.nodes import Node
from relay.schema.avro.plain import Branch
from relay.schema.avro.times import FIRST_SECOND, LAST_SECOND, PER_SECOND

__all__ = ["DEPTH", "TooLarge", "samples"]

# How deep a record may be nested in itself.
DEPTH = 2
# Types visited for one schema; types that are used in several places multiply.
VISITS = 50_000
# Bytes of a fixed; no broker accepts records of that size.
LARGEST_FIXED = 16 * 2**20
RANDOM_ROUNDS = 20

INT = 2**31
LONG = 2**63
DAY_MILLIS = 86_400_000
STRINGS = ("", "a", "ünïcödé 漢字 🧾 é", '"\\\n\u0000', "x" * 1000)


class TooLarge(Exception):
    """The schema is nested too deeply to list its values, or one does not fit into a record."""


def samples(root: Node, *, limit: int, seed: int = 0) -> list[Any]:
    """At most `limit` values of a type: every edge case of every part is in at least one.

    Records vary all of their fields at once, so the number of values depends on the field with
    the most values and not on the number of fields; more rounds mix the fields at random by `seed`.
    Empty where the type has no finite value. Raises TooLarge.
    """
    return _Sampler(seed, limit).of(root, ())


class _Sampler:
    def __init__(self, seed: int, limit: int) -> None:
        self._random = random.Random(seed)
        self._limit = limit
        self._visits = 0

    def of(self, node: Node, inside: tuple[str, ...]) -> list[Any]:
        self._visits += 1
        if self._visits > VISITS or node.size > LARGEST_FIXED:
            raise TooLarge
        return list(islice(self._each(node, inside), self._limit))

    def _each(self, node: Node, inside: tuple[str, ...]) -> Iterator[Any]:
        match node.kind:
            case "record":
                yield from self._record(node, inside)
            case "union":
                yield from self._union(node, inside)
            case "array":
                yield []
                items = self.of(node.element, inside)
                yield from ([item] for item in items)
                if len(items) > 1:
                    yield items[:2]
            case "map":
                yield {}
                items = self.of(node.element, inside)
                yield from ({STRINGS[n % len(STRINGS)]: item} for n, item in enumerate(items))
                if len(items) > 1:
                    yield dict(zip(("one", "two"), items, strict=False))
            case _:
                yield from _scalars(node)

    def _record(self, node: Node, inside: tuple[str, ...]) -> Iterator[Any]:
        if inside.count(node.name) > DEPTH:
            return
        columns = [self.of(field.node, (*inside, node.name)) for field in node.fields]
        if not all(columns):
            return
        names = [field.name for field in node.fields]
        rounds = max((len(column) for column in columns), default=1)
        for turn in range(rounds):
            # Shifted, so that fields of one type differ and exchanged fields are noticed.
            shifted = (c[(turn + n) % len(c)] for n, c in enumerate(columns))
            yield dict(zip(names, shifted, strict=True))
        if rounds > 1 and not inside:
            for _ in range(RANDOM_ROUNDS):
                picked = [self._random.choice(column) for column in columns]
                yield dict(zip(names, picked, strict=True))

    def _union(self, node: Node, inside: tuple[str, ...]) -> Iterator[Any]:
        # Branches take turns, so that one with many values does not use up the limit.
        columns = [self.of(branch, inside) for branch in node.branches]
        for turn in range(max(map(len, columns), default=0)):
            for index, column in enumerate(columns):
                if turn < len(column):
                    yield Branch(index, column[turn])


def _scalars(node: Node) -> Sequence[Any]:
    match node.form:
        case "enum":
            return node.symbols
        case "fixed":
            numbered = bytes(n % 256 for n in range(node.size))
            return [bytes(node.size), b"\xff" * node.size, numbered]
        case "uuid" if node.kind == "fixed":
            return [bytes.fromhex(text.replace("-", "")) for text in SCALARS["uuid"]]
        case "decimal":
            largest = 10**node.precision - 1
            ordinary = min(1234, largest)
            return [_unscaled(node, n) for n in (ordinary, 0, 1, -1, largest, -largest)]
    return SCALARS[node.form]


def _unscaled(node: Node, number: int) -> bytes:
    shortest = (number if number >= 0 else ~number).bit_length() // 8 + 1
    size = node.size if node.kind == "fixed" else shortest
    return number.to_bytes(size, "big", signed=True)


def _timestamps(unit: str) -> Sequence[int]:
    per_second = PER_SECOND[unit]
    first, last = FIRST_SECOND * per_second, (LAST_SECOND + 1) * per_second - 1
    ordinary = 1_700_000_000 * per_second + per_second // 2
    # Nanoseconds of the first and last years do not fit a long.
    return [min(max(count, -LONG), LONG - 1) for count in (ordinary, 0, -1, first, last)]


SCALARS: dict[str, Sequence[Any]] = {
    "null": [None],
    "boolean": [True, False],
    "int": [0, 1, -1, INT - 1, -INT],
    "long": [0, 1, -1, INT, 2**53 + 1, LONG - 1, -LONG],
    # Largest finite of 32 bits, smallest above zero, and a zero that keeps its sign.
    "float": [0.0, -0.0, 1.5, -3.4028234663852886e38, 2.0**-149],
    "double": [0.0, -0.0, 0.1, 1.7976931348623157e308, 5e-324],
    "string": STRINGS,
    "bytes": [b"", b"\x00", b"plain text", bytes(range(256))],
    "uuid": [
        "00000000-0000-0000-0000-000000000000",
        "9f0c0d0e-5d1b-4b0a-8a39-0d6f2f9a1c11",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ],
    # Days of 0001-01-01 and 9999-12-31 are the bounds of RFC 3339.
    "date": [0, 20_000, -1, FIRST_SECOND // 86_400, LAST_SECOND // 86_400],
    "time-millis": [0, 1, DAY_MILLIS - 1],
    "time-micros": [0, 1, DAY_MILLIS * 1000 - 1],
    **{f"timestamp-{unit}": _timestamps(unit) for unit in PER_SECOND},
    **{f"local-timestamp-{unit}": _timestamps(unit) for unit in PER_SECOND},
}
