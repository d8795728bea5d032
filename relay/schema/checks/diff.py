"""The semantic difference of two Avro schemas, as a list of changes in words."""

from __future__ import annotations

from collections.abc import Iterator

from relay.schema.avro.nodes import Node, Schema
from relay.schema.avro.parse import read_schema
from relay.schema.checks.attributes import doc, properties
from relay.schema.checks.change import Change, Kind
from relay.schema.checks.diff_fields import defaults, field_attributes, membership, paired_fields
from relay.schema.checks.diff_names import enum, names
from relay.schema.checks.diff_types import scalar, union_members
from relay.schema.checks.words import ROOT, item_path, place, type_words, value_path

__all__ = ["diff"]


def diff(old: Schema, new: Schema) -> list[Change]:
    """What changed from `old` to `new`, in the order of the new schema.

    old, new: JSON of the schemas as parsed from .avsc files. A type that is used in several
    places is compared at the first of them. Empty where the schemas mean the same, however they
    are written.
    Raises CatalogInvalid when one of them is not an Avro schema.
    """
    return list(_Walk().types(read_schema(old), read_schema(new), ROOT))


class _Walk:
    def __init__(self) -> None:
        # Named types are graphs with cycles and shared parts: each pair is compared once.
        self._seen: set[tuple[str, str]] = set()
        self._moves: set[tuple[str, str]] = set()

    def types(self, old: Node, new: Node, path: str) -> Iterator[Change]:
        """Changes from one type to another at the same place."""
        if "union" in {old.kind, new.kind}:
            yield from self._union(old, new, path)
            return
        if old.kind != new.kind:
            yield from scalar(old, new, path)
            return
        if old.name:
            if (old.name, new.name) in self._seen:
                return
            self._seen.add((old.name, new.name))
            yield from names(old, new, path, self._moves)
        yield from doc(path, f"type {type_words(new)}", old.doc, new.doc)
        yield from properties(path, type_words(new), old.properties, new.properties)
        match new.kind:
            case "record":
                yield from self._record(old, new, path)
            case "array":
                yield from self.types(old.element, new.element, item_path(path))
            case "map":
                yield from self.types(old.element, new.element, value_path(path))
            case "enum":
                yield from enum(old, new, path)
            case _:
                yield from scalar(old, new, path)

    def _record(self, old: Node, new: Node, path: str) -> Iterator[Change]:
        pairs = paired_fields(old, new)
        yield from membership(old, new, pairs, path)
        for before, after in pairs:
            at = f"{path}.{after.name}"
            yield from self.types(before.node, after.node, at)
            yield from defaults(before, after, at)
            yield from field_attributes(before, after, at)

    def _union(self, old: Node, new: Node, path: str) -> Iterator[Change]:
        pairs, changes = union_members(old, new, path)
        yield from changes
        inner: list[Change] = []
        for before, after in pairs:
            inner.extend(self.types(before, after, path))
        yield from inner
        if old.kind != new.kind and not changes and not inner:
            how = "a union now" if new.kind == "union" else "not a union any more"
            yield Change(
                path,
                Kind.UNION_CHANGED,
                type_words(old),
                type_words(new),
                f"{place(path)} is {how}, of the same {type_words(new)}; its bytes are others.",
            )
