"""Changes of named types: their names, namespaces and aliases, and an enum's symbols."""

from __future__ import annotations

from collections.abc import Iterator

from relay.schema.avro.names import namespace_of, short_name
from relay.schema.avro.nodes import Node
from relay.schema.checks.change import Change, Kind
from relay.schema.checks.words import listed, place

__all__ = ["enum", "names"]


def names(old: Node, new: Node, path: str, moves: set[tuple[str, str]]) -> Iterator[Change]:
    """The change of a named type's name, namespace or aliases.

    moves: pairs of namespaces that were reported already; types inside a record move along with it.
    """
    then, now = short_name(old.name), short_name(new.name)
    by_alias = old.name in new.aliases
    if then != now:
        how = (
            "an alias says so, and readers of the new version take the old name for it"
            if by_alias
            else "no alias says so, so readers of the new version do not know the old name"
        )
        yield Change(
            path,
            Kind.TYPE_RENAMED if by_alias else Kind.NAME_CHANGED,
            old.name,
            new.name,
            f"The {new.kind} {now} was called {then}; {how}.",
        )
    move = namespace_of(old.name), namespace_of(new.name)
    if move[0] != move[1] and move not in moves:
        moves.add(move)
        yield Change(
            path,
            Kind.NAMESPACE_CHANGED,
            *move,
            f"The {new.kind} {now} moved from the namespace {move[0] or '(none)'} to "
            f"{move[1] or '(none)'}: to readers it is another type, and its subject is another.",
        )
    aliases = tuple(alias for alias in new.aliases if alias != old.name)
    if sorted(old.aliases) != sorted(aliases):
        yield Change(
            path,
            Kind.ALIASES_CHANGED,
            list(old.aliases),
            list(new.aliases),
            f"The aliases of the {new.kind} {now} are {listed(new.aliases)} instead of "
            f"{listed(old.aliases)}.",
        )


def enum(old: Node, new: Node, path: str) -> Iterator[Change]:
    """Symbols added, removed and in another order; the change of the symbol for unknown ones."""
    olds, news = set(old.symbols), set(new.symbols)
    for symbol in old.symbols:
        if symbol not in news:
            instead = (
                f"; readers of the new version take it for {new.default_symbol}"
                if new.default_symbol
                else "; readers of the new version can't read it"
            )
            yield Change(
                path,
                Kind.SYMBOL_REMOVED,
                symbol,
                None,
                f"{place(path)} can't be {symbol} any more{instead}.",
            )
    for symbol in new.symbols:
        if symbol not in olds:
            instead = (
                f"; readers of the old version take it for {old.default_symbol}"
                if old.default_symbol
                else "; readers of the old version can't read it"
            )
            yield Change(
                path,
                Kind.SYMBOL_ADDED,
                None,
                symbol,
                f"{place(path)} can be {symbol} now{instead}.",
            )
    then = [symbol for symbol in old.symbols if symbol in news]
    now = [symbol for symbol in new.symbols if symbol in olds]
    if then != now:
        yield Change(
            path,
            Kind.SYMBOLS_REORDERED,
            then,
            now,
            f"The symbols of {short_name(new.name)} stand in another order: {listed(now)} instead "
            f"of {listed(then)}.",
        )
    yield from _default(old, new, path)


def _default(old: Node, new: Node, path: str) -> Iterator[Change]:
    before, after = old.default_symbol, new.default_symbol
    if before == after:
        return
    enum = f"enum {short_name(new.name)}"
    if before is None:
        kind = Kind.ENUM_DEFAULT_ADDED
        sentence = f"Symbols that the {enum} does not have are read as {after} now."
    elif after is None:
        kind = Kind.ENUM_DEFAULT_REMOVED
        sentence = (
            f"Symbols that the {enum} does not have can't be read any more; they were read as "
            f"{before}."
        )
    else:
        kind = Kind.ENUM_DEFAULT_CHANGED
        sentence = f"Symbols that the {enum} does not have are read as {after} instead of {before}."
    yield Change(path, kind, before, after, sentence)
