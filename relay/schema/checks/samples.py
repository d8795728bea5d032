"""Values of a type with its edge cases, deterministic, in the form that Avro's bytes have.

Physical values: timestamps and dates are counts, decimals their unscaled two's complement bytes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from relay.schema.avro.nodes import Node

__all__ = ["DEPTH", "Branch", "TooLarge", "samples"]

# How often a record may lie inside itself.
DEPTH = 2
# Types visited for one schema; shared types that hold each other multiply.
VISITS = 50_000
# Bytes of a fixed; no broker takes records of that size.
LARGEST_FIXED = 16 * 2**20
RANDOM_ROUNDS = 20

INT = 2**31
LONG = 2**63
DAY_MILLIS = 86_400_000
STRINGS = ("", "a", "ünïcödé 漢字 🧾 é", '"\\\n\u0000', "x" * 1000)
BYTES = (b"", b"\x00", b"plain text", bytes(range(256)))
# Largest finite of 32 bits, smallest above zero, and a zero that keeps its sign.
FLOATS = (0.0, -0.0, 1.5, -3.4028234663852886e38, 2.0**-149)
DOUBLES = (0.0, -0.0, 0.1, 1.7976931348623157e308, 5e-324)
UUIDS = (
    "00000000-0000-0000-0000-000000000000",
    "9f0c0d0e-5d1b-4b0a-8a39-0d6f2f9a1c11",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
)
# From 0001-01-01 to 9999-12-31, the years of RFC 3339, in seconds and days since 1970-01-01.
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799
FIRST_DAY, LAST_DAY = -719_162, 2_932_896


class TooLarge(Exception):
    """The schema nests so much that its values can't be listed, or one has no room in a record."""


@dataclass(frozen=True)
class Branch:
    """A value of a union with the branch that it is of."""

    index: int
    value: Any


def samples(root: Node, *, seed: int, limit: int) -> list[Any]:
    """Values of a type: every edge case of every part in at least one of them, as far as `limit`.

    Records vary all of their fields at once, so the number of values grows with the richest
    field and not with the number of fields; a few more rounds mix the fields at random by `seed`.
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
                yield from SCALARS[node.form](node)

    def _record(self, node: Node, inside: tuple[str, ...]) -> Iterator[Any]:
        if inside.count(node.name) > DEPTH:
            return
        columns = [self.of(field.node, (*inside, node.name)) for field in node.fields]
        if not all(columns):
            return
        names = [field.name for field in node.fields]
        rounds = max((len(column) for column in columns), default=1)
        for turn in range(rounds):
            # Shifted, so that fields of one type differ and an exchange of two shows.
            shifted = (c[(turn + n) % len(c)] for n, c in enumerate(columns))
            yield dict(zip(names, shifted, strict=True))
        if rounds > 1 and not inside:
            for _ in range(RANDOM_ROUNDS):
                picked = [self._random.choice(column) for column in columns]
                yield dict(zip(names, picked, strict=True))

    def _union(self, node: Node, inside: tuple[str, ...]) -> Iterator[Any]:
        # Branches take turns, so that a rich one does not push others beyond the limit.
        columns = [self.of(branch, inside) for branch in node.branches]
        for turn in range(max(map(len, columns), default=0)):
            for index, column in enumerate(columns):
                if turn < len(column):
                    yield Branch(index, column[turn])


def _decimals(node: Node) -> list[bytes]:
    largest = 10**node.precision - 1
    ordinary = min(1234, largest)
    return [_unscaled(node, number) for number in (ordinary, 0, 1, -1, largest, -largest)]


def _unscaled(node: Node, number: int) -> bytes:
    shortest = (number if number >= 0 else ~number).bit_length() // 8 + 1
    size = node.size if node.kind == "fixed" else shortest
    return number.to_bytes(size, "big", signed=True)


def _fixed(node: Node) -> list[bytes]:
    return [bytes(node.size), b"\xff" * node.size, bytes(n % 256 for n in range(node.size))]


def _uuids(node: Node) -> list[Any]:
    if node.kind == "fixed":
        return [bytes.fromhex(text.replace("-", "")) for text in UUIDS]
    return list(UUIDS)


def _times(per_second: int) -> Callable[[Node], list[int]]:
    first, last = FIRST_SECOND * per_second, (LAST_SECOND + 1) * per_second - 1
    ordinary = 1_700_000_000 * per_second + per_second // 2
    # Nanoseconds of these years do not fit a long.
    counts = [min(max(count, -LONG), LONG - 1) for count in (ordinary, 0, -1, first, last)]
    return lambda _: counts


SCALARS: dict[str, Callable[[Node], Any]] = {
    "null": lambda _: (None,),
    "boolean": lambda _: (True, False),
    "int": lambda _: (0, 1, -1, INT - 1, -INT),
    "long": lambda _: (0, 1, -1, INT, LONG - 1, -LONG),
    "float": lambda _: FLOATS,
    "double": lambda _: DOUBLES,
    "string": lambda _: STRINGS,
    "bytes": lambda _: BYTES,
    "fixed": _fixed,
    "enum": lambda node: node.symbols,
    "uuid": _uuids,
    "decimal": _decimals,
    "date": lambda _: (0, 20_000, -1, FIRST_DAY, LAST_DAY),
    "time-millis": lambda _: (0, 1, DAY_MILLIS - 1),
    "time-micros": lambda _: (0, 1, DAY_MILLIS * 1000 - 1),
    "timestamp-millis": _times(10**3),
    "timestamp-micros": _times(10**6),
    "timestamp-nanos": _times(10**9),
    "local-timestamp-millis": _times(10**3),
    "local-timestamp-micros": _times(10**6),
    "local-timestamp-nanos": _times(10**9),
}
