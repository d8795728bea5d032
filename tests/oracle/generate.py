"""Random schemas, small in names and symbols so that two of them often meet."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.oracle.graph import PRIMITIVES, GField, GType

__all__ = ["FIELDS", "NAMES", "NAMESPACES", "SYMBOLS", "Generator"]

NAMES = ("Order", "Item", "Money", "Kind", "Hash")
NAMESPACES = ("", "shop", "shop.inner")
FIELDS = ("a", "b", "c", "d", "e", "f")
SYMBOLS = ("A", "B", "C", "D", "E")
LOGICAL = {
    "int": ("date", "time-millis"),
    "long": (
        "time-micros",
        *(f"timestamp-{unit}" for unit in ("millis", "micros", "nanos")),
        *(f"local-timestamp-{unit}" for unit in ("millis", "micros", "nanos")),
    ),
    "bytes": ("decimal",),
    "string": ("uuid",),
    "fixed": ("decimal", "uuid", "duration"),
}


class Generator:
    """Makes types; named ones are used again, also within themselves."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._named: list[GType] = []

    def any_type(self, depth: int) -> GType:
        """A type of `depth` levels at most."""
        random = self._random
        if self._named and random.random() < 0.15:
            return random.choice(self._named)
        kinds = ["primitive"] * 8 + ["enum", "fixed"] * 2
        if depth > 0:
            kinds += ["array", "map"] + ["union"] * 3 + ["record"] * 5
        return self.of_kind(random.choice(kinds), depth)

    def of_kind(self, kind: str, depth: int) -> GType:
        """A type of a kind, `primitive` for any of those."""
        random = self._random
        match kind:
            case "array" | "map":
                return GType(kind, inner=[self.any_type(depth - 1)])
            case "union":
                count = random.choice((1, 2, 2, 2, 3, 4)) if random.random() < 0.98 else 0
                branches = [self.any_type(depth - 1) for _ in range(count)]
                if random.random() < 0.5:
                    branches.insert(0, GType("null"))
                return GType("union", inner=branches)
            case "record":
                return self._record(depth)
            case "enum":
                chosen = random.sample(SYMBOLS, random.randint(1, 4))
                return self._name(
                    GType("enum", symbols=chosen, symbol_default=random.random() < 0.3)
                )
            case "fixed":
                size = random.choice((1, 2, 2, 16))
                return self._name(GType("fixed", size=size, logical=self.logical("fixed")))
        primitive = random.choice(PRIMITIVES)
        return GType(primitive, logical=self.logical(primitive))

    def logical(self, kind: str) -> dict[str, Any]:
        """Attributes of a logical type of a kind; now and then of another kind, mostly none."""
        random = self._random
        if random.random() < 0.6:
            return {}
        names = LOGICAL.get(kind, ("date",)) if random.random() < 0.95 else ("uuid", "decimal")
        name = random.choice(names)
        if name != "decimal":
            return {"logicalType": name}
        precision = random.choice((2, 4, 4, 9, 30))
        scale = random.choice((0, 2, 2, 3))
        return {"logicalType": name, "precision": precision, "scale": scale}

    def field(self, name: str, depth: int) -> GField:
        """A field, now and then with a default, aliases, or a default that is none."""
        random = self._random
        default = "right" if random.random() < 0.35 else ""
        if random.random() < 0.002:
            default = "wrong"
        aliases = random.sample(FIELDS, random.choice((1, 1, 2))) if random.random() < 0.08 else []
        return GField(name, self.any_type(depth), default, aliases)

    def _record(self, depth: int) -> GType:
        random = self._random
        record = self._name(GType("error" if random.random() < 0.1 else "record"))
        names = random.sample(FIELDS, random.choice((0, 1, 2, 2, 3, 3, 4)))
        record.fields = [self.field(name, depth - 1) for name in names]
        return record

    def _name(self, one: GType) -> GType:
        random = self._random
        one.name = random.choice(NAMES)
        one.namespace = random.choice(NAMESPACES)
        if random.random() < 0.1:
            one.aliases = [self.alias()]
        self._named.append(one)
        return one

    def alias(self) -> str:
        """An alias of a named type, with or without a namespace."""
        name, namespace = self._random.choice(NAMES), self._random.choice(NAMESPACES)
        if self._random.random() < 0.1:
            return f".{name}"
        return f"{namespace}.{name}" if namespace else name
