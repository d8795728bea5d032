"""How deeply values of recursive types are nested, which their schema leaves open.

fastavro reads by calls of C functions within each other: bytes that nest some thousand levels, of
which a record of a few kilobytes has room, end the process. So they are counted first, by loops.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from relay.schema.avro.nodes import STRING, Node

__all__ = ["DEEPEST_READ", "DEEPEST_WRITTEN", "bytes_too_deep", "is_recursive", "json_too_deep"]

# Records, arrays and maps within each other. Programs that read JSON stop at 254 to 1024 levels,
# and classes that are made of a payload take a few calls a level of Python's thousand.
DEEPEST_WRITTEN = 200
DEEPEST_READ = 1000

FIXED_SIZES = {"null": 0, "boolean": 1, "float": 4, "double": 8}


def is_recursive(root: Node) -> bool:
    """Whether a type lies within itself, so that its values may nest without end."""
    return _on_a_cycle(root, set(), set())


def json_too_deep(value: Any) -> bool:
    """Whether natural JSON nests more than DEEPEST_WRITTEN levels."""
    level = [value]
    for _ in range(DEEPEST_WRITTEN):
        level = [part for each in level for part in _parts(each) if type(part) in {dict, list}]
        if not level:
            return False
    return True


def bytes_too_deep(node: Node, encoded: bytes) -> bool:
    """Whether Avro binary of a type nests more than DEEPEST_READ levels.

    False as well for bytes that are cut off or of another schema, which the reader refuses.
    """
    # A recursive type holds itself in a union, an array or a map: a byte a level at least.
    if len(encoded) <= DEEPEST_READ:
        return False
    source = _Source(encoded)
    # What is open, with the levels that it counts for: a union is none.
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
    if type(value) is dict:
        return value.values()
    return value if type(value) is list else ()


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


class _Source:
    """Reads as much of Avro binary as it takes to see where types begin and end."""

    def __init__(self, encoded: bytes) -> None:
        self._encoded = encoded
        self._at = 0

    def parts(self, node: Node) -> Iterator[Node]:
        """The types that follow each other within one, each to be read before the next."""
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
                        # Values without bytes hold nothing, however many are announced.
                        if self._at == before:
                            break

    def skip(self, node: Node) -> None:
        """Passes over a value that holds no others."""
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
