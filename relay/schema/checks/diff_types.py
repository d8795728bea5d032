"""Changes of one type: its name, its symbols, its logical type, the branches of a union."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from relay.schema.avro.matching import PROMOTIONS
from relay.schema.avro.names import namespace_of, short_name
from relay.schema.avro.nodes import ABSENT, Node
from relay.schema.checks.change import Attribute, Change, Kind, aliases, attribute, order
from relay.schema.checks.words import place, type_words

__all__ = ["enum", "names", "scalar", "union_members"]

Pairs = list[tuple[Node, Node]]

LOGICAL_TYPE = Attribute(
    (Kind.LOGICAL_TYPE_CHANGED, "{what} is {after} now; it had no logical type."),
    (Kind.LOGICAL_TYPE_CHANGED, "{what} has no logical type any more; it was {before}."),
    (
        Kind.LOGICAL_TYPE_CHANGED,
        "{what} is {after} instead of {before}; the same number means something else.",
    ),
)
ENUM_DEFAULT = Attribute(
    (Kind.ENUM_DEFAULT_ADDED, "Symbols that {what} does not have are read as {after} now."),
    (
        Kind.ENUM_DEFAULT_REMOVED,
        "Symbols that {what} does not have can't be read any more; they were read as {before}.",
    ),
    (
        Kind.ENUM_DEFAULT_CHANGED,
        "Symbols that {what} does not have are read as {after} instead of {before}.",
    ),
)


def names(old: Node, new: Node, path: str, moves: set[tuple[str, str]]) -> Iterator[Change]:
    """The change of a named type's name, namespace or aliases.

    moves: pairs of namespaces already reported; types inside a record move along with it.
    """
    what = f"{new.kind} {short_name(new.name)}"
    if short_name(old.name) != short_name(new.name):
        kind, how = Kind.NAME_CHANGED, "it has no alias, so readers don't recognise the old name"
        if old.name in new.aliases:
            kind, how = Kind.TYPE_RENAMED, "it has an alias, so new readers accept the old name"
        sentence = f"The {what} was called {short_name(old.name)}; {how}."
        yield Change(path, kind, old.name, new.name, sentence)
    move = namespace_of(old.name), namespace_of(new.name)
    if move[0] != move[1] and move not in moves:
        moves.add(move)
        sentence = (
            f"The {what} moved from the namespace {move[0] or '(none)'} to "
            f"{move[1] or '(none)'}: to readers it is another type, and its subject is another."
        )
        yield Change(path, Kind.NAMESPACE_CHANGED, *move, sentence)
    yield from aliases(path, f"the {what}", old.aliases, new.aliases, renamed=old.name)


def enum(old: Node, new: Node, path: str) -> Iterator[Change]:
    """Symbols added, removed and in another order; the change of the symbol for unknown ones."""
    for symbol in old.symbols:
        if symbol not in new.symbols:
            sentence = f"{place(path)} can't be {symbol} any more; {_unknown('new', new)}."
            yield Change(path, Kind.SYMBOL_REMOVED, symbol, None, sentence)
    for symbol in new.symbols:
        if symbol not in old.symbols:
            sentence = f"{place(path)} can be {symbol} now; {_unknown('old', old)}."
            yield Change(path, Kind.SYMBOL_ADDED, None, symbol, sentence)
    before = [symbol for symbol in old.symbols if symbol in new.symbols]
    after = [symbol for symbol in new.symbols if symbol in old.symbols]
    name = short_name(new.name)
    yield from order(path, f"The symbols of {name}", Kind.SYMBOLS_REORDERED, before, after)
    default, other = old.default_symbol or ABSENT, new.default_symbol or ABSENT
    yield from attribute(path, f"the enum {name}", ENUM_DEFAULT, default, other, words=str)


def scalar(old: Node, new: Node, path: str) -> Iterator[Change]:
    """Changes between two types without inner types, or of different kinds."""
    if old.kind != new.kind:
        yield _kind(old, new, path)
    elif old.size != new.size:
        sentence = (
            f"{place(path)} has {new.size} bytes instead of {old.size}; readers of neither version "
            "can read the other's."
        )
        yield Change(path, Kind.SIZE_CHANGED, old.size, new.size, sentence)
    if old.form == new.form == "decimal":
        yield from _decimal(old, new, path)
    else:
        before, after = _logical_type(old), _logical_type(new)
        yield from attribute(path, place(path), LOGICAL_TYPE, before, after, words=str)


def union_members(old: Node, new: Node, path: str) -> tuple[Pairs, list[Change]]:
    """Pairs of branches that correspond to each other, and changes of the set of branches.

    A type that is not a union counts as a union of only itself. Branches are paired by full name,
    then by name without namespace, then where one is promoted to the other; a single one that is
    left on either side is one that changed.
    """
    befores, afters = list(_branches(old)), list(_branches(new))
    pairs: Pairs = []
    for same in (_same_key, _same_short_name, _promoted):
        for before in list(befores):
            after = next((branch for branch in afters if same(before, branch)), None)
            if after is not None:
                pairs.append((before, after))
                befores.remove(before)
                afters.remove(after)
    if len(befores) == len(afters) == 1 and "null" not in {befores[0].kind, afters[0].kind}:
        pairs.append((befores.pop(), afters.pop()))
    changes = []
    for branch in map(type_words, befores):
        sentence = f"{place(path)} can't be {branch} any more."
        changes.append(Change(path, Kind.BRANCH_REMOVED, branch, None, sentence))
    for branch in map(type_words, afters):
        sentence = f"{place(path)} may be {branch} now."
        changes.append(Change(path, Kind.BRANCH_ADDED, None, branch, sentence))
    partner = dict(pairs)
    then = [partner[branch] for branch in _branches(old) if branch in partner]
    now = [branch for branch in _branches(new) if branch in then]
    if then != now:
        what, kind = f"The branches of {place(path)}", Kind.BRANCHES_REORDERED
        changes += order(path, what, kind, [*map(type_words, then)], [*map(type_words, now)])
    return sorted(pairs, key=lambda pair: now.index(pair[1])), changes


def _unknown(version: str, reader: Node) -> str:
    """How readers treat a symbol that they don't have."""
    if reader.default_symbol:
        return f"readers of the {version} version take it for {reader.default_symbol}"
    return f"readers of the {version} version can't read it"


def _kind(old: Node, new: Node, path: str) -> Change:
    before, after = type_words(old), type_words(new)
    kind = Kind.TYPE_PROMOTED
    if not _promoted(old, new):
        kind = Kind.TYPE_CHANGED
        effect = f"what was written as {before} can't be read as {after}"
    elif _promoted(new, old):
        effect = "readers turn one into the other"
    else:
        effect = (
            f"readers of the new version turn {old.kind} into {new.kind}, readers of the old one "
            "can't go back"
        )
    sentence = f"{place(path)} is {after} instead of {before}; {effect}."
    return Change(path, kind, before, after, sentence)


def _decimal(old: Node, new: Node, path: str) -> Iterator[Change]:
    before = {"precision": old.precision, "scale": old.scale}
    after = {"precision": new.precision, "scale": new.scale}
    if before == after:
        return
    parts, effect = [], ""
    if old.scale != new.scale:
        parts.append(f"{new.scale} decimal places instead of {old.scale}")
        effect = "; the bytes are the same, so each side reads the other's as another number"
    if old.precision != new.precision:
        parts.append(f"{new.precision} digits instead of {old.precision}")
    sentence = f"{place(path)} has {' and '.join(parts)}{effect}."
    yield Change(path, Kind.DECIMAL_CHANGED, before, after, sentence)


def _logical_type(node: Node) -> Any:
    return ABSENT if node.form == node.kind else node.form


def _branches(node: Node) -> tuple[Node, ...]:
    return node.branches if node.kind == "union" else (node,)


def _same_key(old: Node, new: Node) -> bool:
    return old.kind == new.kind and (old.name == new.name or old.name in new.aliases)


def _same_short_name(old: Node, new: Node) -> bool:
    return old.kind == new.kind and short_name(old.name) == short_name(new.name)


def _promoted(old: Node, new: Node) -> bool:
    return old.kind in PROMOTIONS.get(new.kind, ())
