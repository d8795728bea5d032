"""Changes of types: promotions, logical types, sizes, and the branches of unions."""

from __future__ import annotations

from collections.abc import Iterator

from relay.schema.avro.names import short_name
from relay.schema.avro.nodes import Node
from relay.schema.checks.change import Change, Kind
from relay.schema.checks.words import listed, place, type_words
from relay.schema.compatibility.rules import PROMOTIONS

__all__ = ["scalar", "union_members"]

Pairs = list[tuple[Node, Node]]


def scalar(old: Node, new: Node, path: str) -> Iterator[Change]:
    """Changes between two types that hold no others, or that have nothing in common."""
    if old.kind != new.kind:
        yield _kind(old, new, path)
    elif old.size != new.size:
        yield Change(
            path,
            Kind.SIZE_CHANGED,
            old.size,
            new.size,
            f"{place(path)} has {new.size} bytes instead of {old.size}; readers of neither version "
            "can read the other's.",
        )
    yield from _logical(old, new, path)


def union_members(old: Node, new: Node, path: str) -> tuple[Pairs, list[Change]]:
    """Branches that are the same one on both sides, and changes of which there are.

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
    changes = [
        Change(path, Kind.BRANCH_REMOVED, type_words(b), None, _removed(b, path)) for b in befores
    ]
    changes += [
        Change(path, Kind.BRANCH_ADDED, None, type_words(a), _added(a, path)) for a in afters
    ]
    order = [after for branch in _branches(old) for before, after in pairs if before is branch]
    now = [after for after in _branches(new) if after in order]
    if order != now:
        then_words, now_words = [type_words(n) for n in order], [type_words(n) for n in now]
        changes.append(
            Change(
                path,
                Kind.BRANCHES_REORDERED,
                then_words,
                now_words,
                f"The branches of {place(path)} stand in another order: {listed(now_words)} "
                f"instead of {listed(then_words)}.",
            )
        )
    order_of = {id(after): n for n, after in enumerate(_branches(new))}
    return sorted(pairs, key=lambda pair: order_of[id(pair[1])]), changes


def _kind(old: Node, new: Node, path: str) -> Change:
    before, after = type_words(old), type_words(new)
    if _promoted(old, new):
        sentence = f"{place(path)} is {after} instead of {before}; readers turn one into the other."
        if not _promoted(new, old):
            sentence = (
                f"{place(path)} is {after} instead of {before}; readers of the new version turn "
                f"{old.kind} into {new.kind}, readers of the old one can't go back."
            )
        return Change(path, Kind.TYPE_PROMOTED, before, after, sentence)
    return Change(
        path,
        Kind.TYPE_CHANGED,
        before,
        after,
        f"{place(path)} is {after} instead of {before}; what was written as {before} can't be "
        f"read as {after}.",
    )


def _logical(old: Node, new: Node, path: str) -> Iterator[Change]:
    if old.form == new.form == "decimal":
        before = {"precision": old.precision, "scale": old.scale}
        after = {"precision": new.precision, "scale": new.scale}
        if before == after:
            return
        parts = []
        if old.scale != new.scale:
            parts.append(f"{new.scale} decimal places instead of {old.scale}")
        if old.precision != new.precision:
            parts.append(f"{new.precision} digits instead of {old.precision}")
        sentence = f"{place(path)} has {' and '.join(parts)}"
        if old.scale != new.scale:
            sentence += "; the bytes are the same, so each side reads the other's as another number"
        yield Change(path, Kind.DECIMAL_CHANGED, before, after, f"{sentence}.")
        return
    then, now = _logical_type(old), _logical_type(new)
    if then == now:
        return
    if then is None:
        sentence = f"{place(path)} is {now} now; it was plain {old.kind}."
    elif now is None:
        sentence = f"{place(path)} is plain {new.kind} now; it was {then}."
    else:
        sentence = (
            f"{place(path)} is {now} instead of {then}; the number stays the same and means "
            "something else."
        )
    yield Change(path, Kind.LOGICAL_TYPE_CHANGED, then, now, sentence)


def _logical_type(node: Node) -> str | None:
    return None if node.form == node.kind else node.form


def _branches(node: Node) -> tuple[Node, ...]:
    return node.branches if node.kind == "union" else (node,)


def _same_key(old: Node, new: Node) -> bool:
    return old.kind == new.kind and (old.name == new.name or old.name in new.aliases)


def _same_short_name(old: Node, new: Node) -> bool:
    return old.kind == new.kind and short_name(old.name) == short_name(new.name)


def _promoted(old: Node, new: Node) -> bool:
    return old.kind in PROMOTIONS.get(new.kind, ())


def _removed(branch: Node, path: str) -> str:
    if branch.kind == "null":
        return f"{place(path)} can't be null any more."
    return f"{place(path)} can't be {type_words(branch)} any more."


def _added(branch: Node, path: str) -> str:
    if branch.kind == "null":
        return f"{place(path)} may be null now."
    return f"{place(path)} may be {type_words(branch)} now."
