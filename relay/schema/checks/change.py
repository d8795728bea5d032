"""One difference between two schemas: a value with a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Change", "Effect", "Kind"]


class Effect(StrEnum):
    """What a kind of change does to the schema."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class Kind(StrEnum):
    """What can differ between two schemas; the value ends with its effect where it has one.

    A rename has an alias that says so; without one a type's name has changed, and a field is
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
    `relay.schema.checks.words.type_words` gives them. sentence: the whole of it for a reviewer.
    """

    path: str
    kind: Kind
    before: Any
    after: Any
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """The change for `relay schemas diff --format json`."""
        return {
            "path": self.path,
            "kind": self.kind.value,
            "effect": self.kind.effect.value,
            "before": self.before,
            "after": self.after,
            "sentence": self.sentence,
        }
