"""One difference between two schemas, and the shapes in which most differences come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from relay.schema.avro.nodes import ABSENT
from relay.schema.checks.words import listed, same_value, value_words

__all__ = ["Attribute", "Change", "Effect", "Kind", "aliases", "attribute", "order"]


class Effect(StrEnum):
    """The effect of a change on the schema."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class Kind(StrEnum):
    """A kind of difference; the value ends with its effect where it has one.

    A rename is declared by an alias. Without one a type's name has changed, and a field is
    removed and another one added.
    """

    FIELD_ADDED = "field-added"
    FIELD_REMOVED = "field-removed"
    FIELD_RENAMED = "field-renamed"
    FIELDS_REORDERED = "fields-reordered"
    TYPE_PROMOTED = "type-promoted"
    TYPE_CHANGED = "type-changed"
    TYPE_RENAMED = "type-renamed"
    NAME_CHANGED = "name-changed"
    NAMESPACE_CHANGED = "namespace-changed"
    LOGICAL_TYPE_CHANGED = "logical-type-changed"
    DECIMAL_CHANGED = "decimal-changed"
    SIZE_CHANGED = "size-changed"
    DEFAULT_ADDED = "default-added"
    DEFAULT_CHANGED = "default-changed"
    DEFAULT_REMOVED = "default-removed"
    SYMBOL_ADDED = "symbol-added"
    SYMBOL_REMOVED = "symbol-removed"
    SYMBOLS_REORDERED = "symbols-reordered"
    ENUM_DEFAULT_ADDED = "enum-default-added"
    ENUM_DEFAULT_CHANGED = "enum-default-changed"
    ENUM_DEFAULT_REMOVED = "enum-default-removed"
    BRANCH_ADDED = "branch-added"
    BRANCH_REMOVED = "branch-removed"
    BRANCHES_REORDERED = "branches-reordered"
    UNION_CHANGED = "union-changed"
    DOC_CHANGED = "doc-changed"
    ALIASES_CHANGED = "aliases-changed"
    SORT_ORDER_CHANGED = "sort-order-changed"
    PROPERTY_CHANGED = "property-changed"

    @property
    def effect(self) -> Effect:
        """Added, removed, or changed for all others."""
        last = self.value.rpartition("-")[2]
        return Effect(last) if last in {"added", "removed"} else Effect.CHANGED


@dataclass(frozen=True)
class Change:
    """A difference. path: JSONPath of the value in the payload, by the new names.

    before, after: JSON; None where that side has nothing. Types are in words, as
    `relay.schema.checks.words.type_words` gives them. sentence: the change for a reviewer.
    """

    path: str
    kind: Kind
    before: Any
    after: Any
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """The change for `relay schemas diff --format json`."""
        return {**asdict(self), "effect": self.kind.effect}


class Attribute(NamedTuple):
    """Kinds and sentences of an optional attribute that was added, removed or changed.

    Sentences are templates over `what`, `before` and `after`.
    """

    added: tuple[Kind, str]
    removed: tuple[Kind, str]
    changed: tuple[Kind, str]


def attribute(
    path: str,
    what: str,
    of: Attribute,
    before: Any,
    after: Any,
    words: Callable[[Any], str] = value_words,
) -> Iterator[Change]:
    """The change of an attribute, if there is one. what: its owner; before, after: or ABSENT."""
    if before is after or (ABSENT not in (before, after) and same_value(before, after)):
        return
    if before is ABSENT:
        kind, sentence = of.added
    elif after is ABSENT:
        kind, sentence = of.removed
    else:
        kind, sentence = of.changed
    before, after = (None if side is ABSENT else side for side in (before, after))
    text = sentence.format(what=what, before=words(before), after=words(after))
    yield Change(path, kind, before, after, text[:1].upper() + text[1:])


def order(
    path: str, what: str, kind: Kind, before: Sequence[str], after: Sequence[str]
) -> Iterator[Change]:
    """The change of the order in which both sides have the same names."""
    if before != after:
        sentence = f"{what} are in another order: {listed(after)} instead of {listed(before)}."
        yield Change(path, kind, list(before), list(after), sentence)


def aliases(
    path: str, what: str, old: Sequence[str], new: Sequence[str], *, renamed: str | None
) -> Iterator[Change]:
    """The change of aliases. renamed: the former name, whose alias is reported as a rename."""
    if sorted(old) != sorted(alias for alias in new if alias != renamed):
        sentence = f"The aliases of {what} are {listed(new)} instead of {listed(old)}."
        yield Change(path, Kind.ALIASES_CHANGED, list(old), list(new), sentence)
