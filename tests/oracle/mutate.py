"""Changes of a schema, as people make them."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from random import Random

from tests.oracle.generate import FIELDS, NAMES, NAMESPACES, SYMBOLS, Generator
from tests.oracle.graph import NUMBERS, PRIMITIVES, GField, GType, types_of

__all__ = ["changed"]


def changed(schema: GType, random: Random) -> GType:
    """A copy with one to three changes."""
    copy = deepcopy(schema)
    for _ in range(random.choice((1, 1, 1, 2, 2, 3))):
        one = random.choice(types_of(copy))
        random.choice(_CHANGES[_group(one)])(one, random)
    return copy


def _group(one: GType) -> str:
    if one.kind in PRIMITIVES:
        return "primitive"
    return "record" if one.kind == "error" else one.kind


def _become(one: GType, other: GType) -> None:
    one.__dict__.update({**other.__dict__, "inner": list(other.inner)})


def _other_primitive(one: GType, random: Random) -> None:
    one.kind = random.choice(PRIMITIVES)


def _promote(one: GType, random: Random) -> None:
    if one.kind in NUMBERS:
        one.kind = random.choice(NUMBERS)
    elif one.kind in {"string", "bytes"}:
        one.kind = "bytes" if one.kind == "string" else "string"


def _other_logical(one: GType, random: Random) -> None:
    one.logical = Generator(random).logical(one.kind)


def _wrap(one: GType, random: Random) -> None:
    if one.kind == "union":
        return
    before = GType("")
    _become(before, one)
    branches = [GType("null"), before]
    random.shuffle(branches)
    # Fields that referred to a named type refer to the union from now on, itself in it included.
    _become(one, GType("union", inner=branches))


def _replace(one: GType, random: Random) -> None:
    _become(one, Generator(random).any_type(2))


def _rename(one: GType, random: Random) -> None:
    before = one.full_name
    one.name = random.choice(NAMES)
    if random.random() < 0.5:
        one.aliases = [*one.aliases, before if random.random() < 0.8 else before.split(".")[-1]]


def _move(one: GType, random: Random) -> None:
    one.namespace = random.choice(NAMESPACES)


def _type_alias(one: GType, random: Random) -> None:
    one.aliases = [*one.aliases, Generator(random).alias()]


def _add_symbols(one: GType, random: Random) -> None:
    new = [symbol for symbol in SYMBOLS if symbol not in one.symbols]
    one.symbols = [*one.symbols, *random.sample(new, min(len(new), random.choice((1, 2))))]


def _drop_symbol(one: GType, random: Random) -> None:
    one.symbols = random.sample(one.symbols, max(len(one.symbols) - 1, 0))


def _enum_default(one: GType, random: Random) -> None:
    one.symbol_default = not one.symbol_default


def _resize(one: GType, random: Random) -> None:
    one.size += random.choice((1, 14))


def _turn(one: GType, random: Random) -> None:
    one.kind = "map" if one.kind == "array" else "array"


def _turn_into_error(one: GType, random: Random) -> None:
    one.kind = "record" if one.kind == "error" else "error"


def _add_branch(one: GType, random: Random) -> None:
    one.inner.insert(random.randint(0, len(one.inner)), Generator(random).any_type(1))


def _drop_branch(one: GType, random: Random) -> None:
    if one.inner:
        one.inner.pop(random.randrange(len(one.inner)))


def _shuffle_branches(one: GType, random: Random) -> None:
    random.shuffle(one.inner)


def _unwrap(one: GType, random: Random) -> None:
    if one.inner:
        _become(one, random.choice(one.inner))


def _on_field(change: Callable[[GField, Random], None]) -> Callable[[GType, Random], None]:
    def on_record(one: GType, random: Random) -> None:
        if one.fields:
            change(random.choice(one.fields), random)

    return on_record


def _rename_field(one: GType, random: Random) -> None:
    unused = [name for name in FIELDS if all(name != entry.name for entry in one.fields)]
    if one.fields and unused:
        entry = random.choice(one.fields)
        if random.random() < 0.6:
            entry.aliases = [*entry.aliases, entry.name]
        entry.name = random.choice(unused)


def _add_field(one: GType, random: Random) -> None:
    unused = [name for name in FIELDS if all(name != entry.name for entry in one.fields)]
    if unused:
        entry = Generator(random).field(random.choice(unused), 1)
        one.fields.insert(random.randint(0, len(one.fields)), entry)


def _drop_field(one: GType, random: Random) -> None:
    if one.fields:
        one.fields.pop(random.randrange(len(one.fields)))


def _shuffle_fields(one: GType, random: Random) -> None:
    random.shuffle(one.fields)


def _field_default(entry: GField, random: Random) -> None:
    entry.default = "" if entry.default else "right"


def _field_alias(entry: GField, random: Random) -> None:
    entry.aliases = [*entry.aliases, random.choice(FIELDS)]


def _point_elsewhere(entry: GField, random: Random) -> None:
    entry.type = Generator(random).any_type(1)


_NAMED = (_rename, _rename, _move, _type_alias)
_CHANGES: dict[str, tuple[Callable[[GType, Random], None], ...]] = {
    "primitive": (
        *(_promote, _promote, _promote, _other_primitive),
        *(_other_logical, _other_logical, _wrap, _replace),
    ),
    "enum": (*_NAMED, _add_symbols, _add_symbols, _drop_symbol, _enum_default),
    "fixed": (*_NAMED, _resize, _resize, _other_logical),
    "array": (_turn, _wrap, _replace),
    "map": (_turn, _wrap, _replace),
    "union": (_add_branch, _add_branch, _drop_branch, _shuffle_branches, _unwrap),
    "record": (
        *_NAMED,
        _turn_into_error,
        _rename_field,
        _rename_field,
        _add_field,
        _add_field,
        _drop_field,
        _shuffle_fields,
        _on_field(_field_default),
        _on_field(_field_alias),
        _on_field(_point_elsewhere),
    ),
}
