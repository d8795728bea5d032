"""Changes of a record's fields: which there are, their order, defaults and attributes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from relay.schema.avro.names import short_name
from relay.schema.avro.nodes import ABSENT, Field, Node
from relay.schema.checks.attributes import doc, properties
from relay.schema.checks.change import Change, Kind
from relay.schema.checks.words import (
    default_words,
    listed,
    place,
    same_value,
    type_words,
    value_words,
)

__all__ = ["defaults", "field_attributes", "membership", "paired_fields"]

Pairs = list[tuple[Field, Field]]


def paired_fields(old: Node, new: Node) -> Pairs:
    """Fields that are the same one in both records: by name, else by an alias of the new one.

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


def membership(old: Node, new: Node, pairs: Pairs, path: str) -> Iterator[Change]:
    """Fields added, removed, renamed and in another order."""
    kept = {before.name for before, _ in pairs}
    there = {after.name for _, after in pairs}
    for field in old.fields:
        if field.name not in kept:
            at = f"{path}.{field.name}"
            yield Change(
                at,
                Kind.FIELD_REMOVED,
                _field(field),
                None,
                f"{place(at)} is gone; it was {type_words(field.node)}, {default_words(field)}.",
            )
    for field in new.fields:
        if field.name not in there:
            at = f"{path}.{field.name}"
            yield Change(
                at,
                Kind.FIELD_ADDED,
                None,
                _field(field),
                f"{place(at)} is new: {type_words(field.node)}, {default_words(field)}.",
            )
    for before, after in pairs:
        if before.name != after.name:
            at = f"{path}.{after.name}"
            yield Change(
                at,
                Kind.FIELD_RENAMED,
                before.name,
                after.name,
                f"{place(at)} was called `{before.name}`; an alias says so, and readers of the "
                "new version find it under the old name.",
            )
    yield from _order(old, new, pairs, path)


def defaults(old: Field, new: Field, path: str) -> Iterator[Change]:
    """The change of a field's default, which stands for what the writer did not have."""
    if _same(old.default, new.default):
        return
    if old.default is ABSENT:
        kind = Kind.DEFAULT_ADDED
        sentence = f"{place(path)} has the default {value_words(new.default)} now, it had none."
    elif new.default is ABSENT:
        kind = Kind.DEFAULT_REMOVED
        sentence = f"{place(path)} has no default any more; it was {value_words(old.default)}."
    else:
        kind = Kind.DEFAULT_CHANGED
        sentence = (
            f"The default of {place(path)} is {value_words(new.default)} instead of "
            f"{value_words(old.default)}."
        )
    yield Change(path, kind, _or_none(old.default), _or_none(new.default), sentence)


def field_attributes(old: Field, new: Field, path: str) -> Iterator[Change]:
    """Changes of a field's doc, aliases, sort order, and of attributes that are not Avro's."""
    yield from doc(path, place(path), old.doc, new.doc)
    # The alias that carries a rename is reported with the rename.
    aliases = tuple(a for a in new.aliases if a != old.name or old.name == new.name)
    if sorted(old.aliases) != sorted(aliases):
        yield Change(
            path,
            Kind.ALIASES_CHANGED,
            list(old.aliases),
            list(new.aliases),
            f"The aliases of {place(path)} are {listed(new.aliases)} instead of "
            f"{listed(old.aliases)}.",
        )
    if old.order != new.order:
        yield Change(
            path,
            Kind.SORT_ORDER_CHANGED,
            old.order,
            new.order,
            f"Sorting takes {place(path)} as {new.order} instead of {old.order}.",
        )
    yield from properties(path, place(path), old.properties, new.properties)


def _order(old: Node, new: Node, pairs: Pairs, path: str) -> Iterator[Change]:
    now = [after.name for _, after in pairs]
    renamed = {before.name: after.name for before, after in pairs}
    then = [renamed[field.name] for field in old.fields if field.name in renamed]
    if then != now:
        yield Change(
            path,
            Kind.FIELDS_REORDERED,
            then,
            now,
            f"The fields of {short_name(new.name)} stand in another order: {listed(now)} instead "
            f"of {listed(then)}.",
        )


def _field(field: Field) -> dict[str, Any]:
    default = {} if field.default is ABSENT else {"default": field.default}
    return {"name": field.name, "type": type_words(field.node), **default}


def _same(old: Any, new: Any) -> bool:
    if old is ABSENT or new is ABSENT:
        return old is new
    return same_value(old, new)


def _or_none(default: Any) -> Any:
    return None if default is ABSENT else default
