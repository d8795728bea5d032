"""Schemas as graphs, which can be changed anywhere and still be written as valid Avro."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

__all__ = ["NUMBERS", "PRIMITIVES", "GField", "GType", "types_of", "written"]

PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
NUMBERS = ("int", "long", "float", "double")
NAMED = ("record", "error", "enum", "fixed")


@dataclass(eq=False)
class GType:
    """A type. inner: an array's or map's element, or a union's branches.

    logical: attributes of its logical type, which may not go with the kind.
    """

    kind: str
    name: str = ""
    namespace: str = ""
    aliases: list[str] = field(default_factory=list)
    fields: list[GField] = field(default_factory=list)
    symbols: list[str] = field(default_factory=list)
    symbol_default: bool = False
    size: int = 1
    logical: dict[str, Any] = field(default_factory=dict)
    inner: list[GType] = field(default_factory=list)

    @property
    def full_name(self) -> str:
        return f"{self.namespace}.{self.name}" if self.namespace else self.name


@dataclass(eq=False)
class GField:
    """A field. default: `right` and `wrong` are made up when it is written."""

    name: str
    type: GType
    default: str = ""
    aliases: list[str] = field(default_factory=list)


class _Endless(Exception):
    """A type that contains itself has no finite default."""


def types_of(root: GType) -> list[GType]:
    """All types of a graph, each once, the root first."""
    found: dict[int, GType] = {}
    ahead = [root]
    while ahead:
        one = ahead.pop()
        if id(one) not in found:
            found[id(one)] = one
            ahead += [*one.inner, *(entry.type for entry in one.fields)]
    return list(found.values())


def written(root: GType, random: Random) -> Any:
    """Avro's JSON of a graph; `random` chooses among ways to write the same."""
    return _Writer(random).write(root, "")


class _Writer:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._defined: dict[int, str] = {}
        self._finished: set[int] = set()

    def write(self, one: GType, namespace: str) -> Any:
        if one.kind in NAMED:
            return self._named(one, namespace)
        if one.kind == "union":
            return [self.write(branch, namespace) for branch in _branches(one)]
        if one.kind in {"array", "map"}:
            key = "items" if one.kind == "array" else "values"
            return {"type": one.kind, key: self.write(one.inner[0], namespace)}
        if one.logical:
            return {"type": one.kind, **one.logical}
        return one.kind if self._random.random() < 0.8 else {"type": one.kind}

    def _named(self, one: GType, namespace: str) -> Any:
        if id(one) in self._defined:
            return self._reference(one, namespace)
        # A name that another type has taken gets a mark: a schema may define each only once.
        name = one.name
        while (f"{one.namespace}.{name}".lstrip(".")) in self._defined.values():
            name += "_"
        full = self._defined[id(one)] = f"{one.namespace}.{name}".lstrip(".")
        entry: dict[str, Any] = {"type": one.kind, "name": name}
        if one.namespace and self._random.random() < 0.3:
            entry["name"] = full
        elif one.namespace != namespace or self._random.random() < 0.2:
            entry["namespace"] = one.namespace
        if one.aliases:
            entry["aliases"] = one.aliases
        if one.kind == "fixed":
            entry |= {"size": one.size, **one.logical}
        elif one.kind == "enum":
            entry["symbols"] = one.symbols
            if one.symbol_default and one.symbols:
                entry["default"] = one.symbols[0]
        else:
            entry["fields"] = [self._field(inner, one.namespace) for inner in one.fields]
        self._finished.add(id(one))
        return entry

    def _reference(self, one: GType, namespace: str) -> str:
        full = self._defined[id(one)]
        own, _, short = full.rpartition(".")
        if own == namespace:
            # Java takes the short name of a type that is not finished for one without namespace.
            alone = id(one) in self._finished or short not in self._defined.values()
            return short if alone and self._random.random() < 0.7 else full
        if own or (
            id(one) in self._finished and f"{namespace}.{full}" not in self._defined.values()
        ):
            return full
        # There is no name for it here, other than one that Java takes for a type further on.
        return "int"

    def _field(self, one: GField, namespace: str) -> Any:
        entry: dict[str, Any] = {"name": one.name, "type": self.write(one.type, namespace)}
        if one.aliases:
            entry["aliases"] = one.aliases
        if one.default:
            try:
                default = _default(one.type, frozenset())
            except _Endless:
                return entry
            entry["default"] = default if one.default == "right" else {"wrong": [default]}
        return entry


def _branches(union: GType) -> list[GType]:
    """Branches that may stand together."""
    found: dict[str, GType] = {}
    for branch in union.inner:
        if branch.kind != "union":
            found.setdefault(branch.full_name if branch.kind in NAMED else branch.kind, branch)
    return list(found.values())


def _default(one: GType, within: frozenset[int]) -> Any:
    match one.kind:
        case "null":
            return None
        case "boolean":
            return True
        case "int" | "long":
            return 1
        case "float" | "double":
            return 1.5
        case "enum":
            return one.symbols[0] if one.symbols else "NONE"
        case "array":
            return []
        case "map":
            return {}
        case "union":
            if not (branches := _branches(one)):
                raise _Endless
            return _default(branches[0], within)
        case "record" | "error":
            if id(one) in within:
                raise _Endless
            inside = within | {id(one)}
            return {entry.name: _default(entry.type, inside) for entry in one.fields}
    return "x"
