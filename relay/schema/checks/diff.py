"""The semantic difference of two Avro schemas, as a list of changes in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from relay.schema.avro.names import short_name
from relay.schema.avro.nodes import ABSENT, Field, Node, Schema
from relay.schema.avro.parse import read_schema
from relay.schema.checks.change import Attribute, Change, Kind, aliases, attribute, order
from relay.schema.checks.diff_types import enum, names, scalar, union_members
from relay.schema.checks.words import (
    ROOT,
    default_words,
    item_path,
    place,
    type_words,
    value_path,
)

__all__ = ["diff"]

DOC = Attribute(
    (Kind.DOC_CHANGED, "{what} has a doc now: {after}."),
    (Kind.DOC_CHANGED, "{what} has no doc any more; it was {before}."),
    (Kind.DOC_CHANGED, "The doc of {what} is {after} instead of {before}."),
)
DEFAULT = Attribute(
    (Kind.DEFAULT_ADDED, "{what} has the default {after} now, it had none."),
    (Kind.DEFAULT_REMOVED, "{what} has no default any more; it was {before}."),
    (Kind.DEFAULT_CHANGED, "The default of {what} is {after} instead of {before}."),
)
PROPERTY = Attribute(
    (Kind.PROPERTY_CHANGED, "{what} has the new attribute {after}."),
    (Kind.PROPERTY_CHANGED, "{what} lost the attribute {before}."),
    (Kind.PROPERTY_CHANGED, "{what} has the attribute {after} instead of {before}."),
)


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
        yield from _doc(path, f"type {type_words(new)}", old, new)
        yield from _properties(path, type_words(new), old, new)
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
        pairs = _paired_fields(old, new)
        yield from _membership(old, new, pairs, path)
        for before, after in pairs:
            at = f"{path}.{after.name}"
            what = place(at)
            yield from self.types(before.node, after.node, at)
            yield from attribute(at, what, DEFAULT, before.default, after.default)
            yield from _doc(at, what, before, after)
            renamed = before.name if before.name != after.name else None
            yield from aliases(at, what, before.aliases, after.aliases, renamed=renamed)
            if before.order != after.order:
                sentence = f"The sort order of {what} is {after.order} instead of {before.order}."
                yield Change(at, Kind.SORT_ORDER_CHANGED, before.order, after.order, sentence)
            yield from _properties(at, what, before, after)

    def _union(self, old: Node, new: Node, path: str) -> Iterator[Change]:
        pairs, changes = union_members(old, new, path)
        for before, after in pairs:
            changes += self.types(before, after, path)
        yield from changes
        if old.kind != new.kind and not changes:
            how = "a union now" if new.kind == "union" else "not a union any more"
            types = type_words(old), type_words(new)
            sentence = f"{place(path)} is {how}, of the same {types[1]}; it is encoded differently."
            yield Change(path, Kind.UNION_CHANGED, *types, sentence)


def _paired_fields(old: Node, new: Node) -> list[tuple[Field, Field]]:
    """Fields that correspond to each other: by name, else by an alias of the new one.

    In the new record's order. Source: Avro 1.12 specification, "Aliases".
    """
    free = {field.name: field for field in old.fields}
    by_name = {field.name: free.pop(field.name) for field in new.fields if field.name in free}
    pairs = []
    for field in new.fields:
        before = by_name.get(field.name)
        if before is None:
            alias = next((alias for alias in field.aliases if alias in free), None)
            before = free.pop(alias) if alias is not None else None
        if before is not None:
            pairs.append((before, field))
    return pairs


def _membership(
    old: Node, new: Node, pairs: list[tuple[Field, Field]], path: str
) -> Iterator[Change]:
    """Fields added, removed, renamed and in another order."""
    renamed = {before.name: after.name for before, after in pairs}
    for field in old.fields:
        if field.name not in renamed:
            at = f"{path}.{field.name}"
            was = f"{type_words(field.node)}, {default_words(field)}"
            sentence = f"{place(at)} is gone; it was {was}."
            yield Change(at, Kind.FIELD_REMOVED, _field(field), None, sentence)
    for field in new.fields:
        if field.name not in renamed.values():
            at = f"{path}.{field.name}"
            sentence = f"{place(at)} is new: {type_words(field.node)}, {default_words(field)}."
            yield Change(at, Kind.FIELD_ADDED, None, _field(field), sentence)
    for then, now in renamed.items():
        if then != now:
            at = f"{path}.{now}"
            sentence = (
                f"{place(at)} was called `{then}`; it has an alias, so readers of the new version "
                "find it under the old name."
            )
            yield Change(at, Kind.FIELD_RENAMED, then, now, sentence)
    before = [renamed[field.name] for field in old.fields if field.name in renamed]
    what = f"The fields of {short_name(new.name)}"
    yield from order(path, what, Kind.FIELDS_REORDERED, before, list(renamed.values()))


def _doc(path: str, what: str, old: Node | Field, new: Node | Field) -> Iterator[Change]:
    yield from attribute(path, what, DOC, old.doc or ABSENT, new.doc or ABSENT)


def _properties(path: str, what: str, old: Node | Field, new: Node | Field) -> Iterator[Change]:
    """One change for each attribute that is not Avro's; before and after are {name: value}."""
    for name in sorted(old.properties.keys() | new.properties.keys()):
        before, after = (
            {name: side.properties[name]} if name in side.properties else ABSENT
            for side in (old, new)
        )
        yield from attribute(path, what, PROPERTY, before, after)


def _field(field: Field) -> dict[str, Any]:
    default = {} if field.default is ABSENT else {"default": field.default}
    return {"name": field.name, "type": type_words(field.node), **default}
