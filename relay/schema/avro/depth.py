"""Limits how deeply values of recursive types nest.

fastavro recurses in C: a few kilobytes can nest some thousand levels and crash the process. So the
levels are counted before, without recursion.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from relay.schema.avro.nodes import STRING, Node

__all__ = ["DEEPEST_READ", "DEEPEST_WRITTEN", "bytes_too_deep", "is_recursive", "json_too_deep"]

# Nested records, arrays and maps. JSON parsers stop at 254 to 1,024 levels, and making classes of
# a payload takes a few of Python's 1,000 stack frames for each level.
DEEPEST_WRITTEN = 200
DEEPEST_READ = 1000

FIXED_SIZES = {"null": 0, "boolean": 1, "float": 4, "double": 8}


def is_recursive(root: Node) -> bool:
    """Returns whether a type contains itself, so that its values may nest endlessly."""
    return _on_a_cycle(root, set(), set())


def json_too_deep(value: Any) -> bool:
    """Returns whether natural JSON nests more than DEEPEST_WRITTEN levels."""
    level = [value]
    for _ in range(DEEPEST_WRITTEN):
        level = [part for each in level for part in _parts(each) if isinstance(part, dict | list)]
        if not level:
            return False
    return True


def bytes_too_deep(node: Node, encoded: bytes) -> bool:
    """Returns whether Avro binary of a type nests more than DEEPEST_READ levels.

    Also False for bytes that are cut off or of another schema: the decoder refuses these.
    """
    # A level takes a byte at least, since types recurse through unions, arrays or maps.
    if len(encoded) <= DEEPEST_READ:
        return False
    source = _DepthSource(encoded)
    # Open types, with the levels that each counts for: a union counts none.
    around = [(source.parts(node), 1)]
    level = 1
    try:
        while around:
            part = next(around[-1][0], None)
            if part is None:
                level -= around.pop()[1]
            elif part.kind in {"record", "array", "map", "union"}:
                own = int(part.kind != "union")
                around.append((source.parts(part), own))
                level += own
                if level > DEEPEST_READ:
                    return True
            else:
                source.skip(part)
    except IndexError:
        return False
    return False


def _parts(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _on_a_cycle(node: Node, around: set[Node], done: set[Node]) -> bool:
    if node in around:
        return True
    if node in done:
        return False
    around.add(node)
    found = any(_on_a_cycle(each, around, done) for each in node.parts)
    around.discard(node)
    done.add(node)
    return found


class _DepthSource:
    """Reads just enough of Avro binary to find where values begin and end."""

    def __init__(self, encoded: bytes) -> None:
        self._encoded = encoded
        self._at = 0

    def parts(self, node: Node) -> Iterator[Node]:
        """Yields the types inside one; the caller reads each before it takes the next."""
        match node.kind:
            case "record":
                for field in node.fields:
                    yield field.node
            case "union":
                yield node.branches[self._long()]
            case _:
                while count := self._long():
                    if count < 0:
                        self._long()
                    for _ in range(abs(count)):
                        before = self._at
                        if node.kind == "map":
                            yield STRING
                        yield node.element
                        if self._at > len(self._encoded):
                            raise IndexError
                        # Empty values can't nest, however many the count announces.
                        if self._at == before:
                            break

    def skip(self, node: Node) -> None:
        """Skips a value without others inside."""
        if node.kind in {"string", "bytes"}:
            length = self._long()
            self._at += max(0, length)
        elif node.kind in {"int", "long", "enum"}:
            self._long()
        else:
            self._at += FIXED_SIZES.get(node.kind, node.size)

    def _long(self) -> int:
        shift = number = 0
        while (byte := self._encoded[self._at]) & 0x80:
            number |= (byte & 0x7F) << shift
            self._at, shift = self._at + 1, shift + 7
        self._at += 1
        number |= byte << shift
        return (number >> 1) ^ -(number & 1)
