"""Explains why a reader's schema can't read what a writer's schema wrote."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from relay.schema.avro.matching import matches, same_name
from relay.schema.avro.nodes import NAMED, Field, Node
from relay.schema.compatibility.check import Ambiguous, Check
from relay.schema.compatibility.describe import (
    Fix,
    described,
    fix_ambiguous,
    fix_branch,
    fix_field,
    fix_name,
    fix_size,
    fix_symbols,
    fix_type,
    listed,
    named,
)
from relay.schema.compatibility.rules import Finding, Rule
from relay.schema.compatibility.walk import (
    ROOT,
    Place,
    TypePair,
    Unmatched,
    fits_at_first_sight,
    leaf_rules,
    missing_symbols,
    one_branch_is_enough,
    parts,
)

__all__ = ["findings"]

# Nested reasons of unions in unions; deeper ones only confuse.
_BECAUSE_DEPTH = 3
# Writer's fields that are tried as the former name of a missing field.
_CANDIDATES = 20


def findings(reader: Node, writer: Node) -> list[Finding]:
    """Returns why `reader` can't read data written with `writer`; empty when it can.

    The verdict is that of Java's SchemaCompatibility.checkReaderWriterCompatibility. Where that
    throws, since a reader's field matches several of the writer's, the rule is AMBIGUOUS_FIELD.
    Ambiguous fields come first, then the order of the reader's schema. A pair of types that occurs
    at several places is reported at the first of them.
    """
    check = Check(reader, writer)
    if check.compatible:
        return []
    found = [_ambiguous(one) for one in check.ambiguous]
    return found + _Explanation(check).of(_Pair(reader, writer, ROOT))


class _Pair(NamedTuple):
    """Incompatible types. union: the writer's union that `writer` is a branch of."""

    reader: Node
    writer: Node
    place: Place
    union: Node | None = None

    def finding(
        self,
        rule: Rule,
        fix: Fix,
        *,
        place: Place | None = None,
        reader: str = "",
        writer: str = "",
        because: tuple[Finding, ...] = (),
    ) -> Finding:
        at = place or self.place
        theirs = writer or described(self.writer)
        if self.union is not None:
            theirs += f" in a {described(self.union)}"
        ours = reader or described(self.reader)
        return Finding(rule, at.path, at.field, ours, theirs, fix.reader, fix.writer, because)


class _Explanation:
    """Walks from a pair that does not fit down to the broken rules."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._explained: set[tuple[int, int]] = set()
        # A separate set, so that a pair explained inside a branch is still reported at its own
        # place. All branches share it, so that each pair is explained twice at most.
        self._explained_in_branches: set[tuple[int, int]] = set()

    def of(self, pair: _Pair, depth: int = 0) -> list[Finding]:
        """Returns a pair's findings in order. depth: number of unions around the pair."""
        explained = self._explained_in_branches if depth else self._explained
        found: list[Finding] = []
        ahead: list[_Pair | Finding] = [pair]
        while ahead:
            following = ahead.pop()
            if isinstance(following, Finding):
                found.append(following)
                continue
            key = (id(following.reader), id(following.writer))
            if key in explained or self._check.verdict(following.reader, following.writer):
                continue
            explained.add(key)
            ahead.extend(reversed(list(self._look_into(following, depth))))
        return found

    def _look_into(self, pair: _Pair, depth: int) -> Iterator[_Pair | Finding]:
        reader, writer = pair.reader, pair.writer
        broken = leaf_rules(reader, writer)
        if broken is not None:
            yield from (_broken(rule, pair) for rule in broken)
        elif one_branch_is_enough(reader, writer):
            yield self._missing_branch(pair, depth)
        else:
            union = writer if writer.kind == "union" else None
            theirs: _WritersFields | None = None
            for part in parts(reader, writer):
                if isinstance(part, TypePair):
                    yield _Pair(part.reader, part.writer, pair.place.to(part.step), union)
                elif isinstance(part, Rule):
                    yield _broken(part, pair)
                elif not part.matched:
                    theirs = theirs or _fields_of_writer(reader, writer)
                    yield _missing_field(pair, part, theirs)

    def _missing_branch(self, pair: _Pair, depth: int) -> Finding:
        reader, writer = pair.reader, pair.writer
        because: list[Finding] = []
        nearest = _nearest(reader, writer)
        if nearest is not None and depth < _BECAUSE_DEPTH:
            branch = reader.branches[nearest]
            because = self.of(_Pair(branch, writer, pair.place.to(nearest)), depth + 1)
        fix = fix_branch(reader, writer, pair.union, nearly=nearest is not None)
        return pair.finding(Rule.MISSING_UNION_BRANCH, fix, because=tuple(because))


def _broken(rule: Rule, pair: _Pair) -> Finding:
    """Returns the finding of a rule that the pair itself breaks."""
    reader, writer, place = pair.reader, pair.writer, pair.place
    match rule:
        case Rule.NAME_MISMATCH:
            fix, at = fix_name(reader, writer), place.down("name")
            ours, theirs = named(reader), named(writer)
            return pair.finding(rule, fix, place=at, reader=ours, writer=theirs)
        case Rule.MISSING_ENUM_SYMBOLS:
            fix = fix_symbols(reader, missing_symbols(reader, writer))
            return pair.finding(rule, fix, place=place.down("symbols"))
        case Rule.FIXED_SIZE_MISMATCH:
            return pair.finding(rule, fix_size(reader, writer), place=place.down("size"))
    return pair.finding(rule, fix_type(reader, writer, pair.union))


class _WritersFields(NamedTuple):
    """unread: some that no reader's field matches. words: the record with all its fields."""

    unread: list[Field]
    words: str


def _fields_of_writer(reader: Node, writer: Node) -> _WritersFields:
    by_name = {field.name: field for field in writer.fields}
    read = {one.name for field in reader.fields for one in matches(field, by_name)}
    unread = islice((one for one in by_name.values() if one.name not in read), _CANDIDATES)
    return _WritersFields(list(unread), f"{named(writer)} with {_fields(list(by_name))}")


def _missing_field(pair: _Pair, missing: Unmatched, theirs: _WritersFields) -> Finding:
    field = missing.field
    renamed = [one.name for one in theirs.unread if fits_at_first_sight(field.node, one.node)]
    ours = f"field {field.name} of {described(field.node)}, without default"
    if field.node.kind == "enum" and field.node.default_symbol is not None:
        ours += " (the enum's own is for unknown symbols)"
    return pair.finding(
        Rule.READER_FIELD_MISSING_DEFAULT_VALUE,
        fix_field(field, renamed),
        place=pair.place.at(missing.at),
        reader=ours,
        writer=theirs.words,
    )


def _nearest(union: Node, writer: Node) -> int | None:
    """Returns the index of the branch of the same kind and, if it has one, name."""
    kind = writer.kind
    for index, branch in enumerate(union.branches):
        if branch.kind == kind and (kind not in NAMED or same_name(branch, writer)):
            return index
    return None


def _ambiguous(one: Ambiguous) -> Finding:
    names = list(dict.fromkeys(field.name for field in one.matched))
    fix = fix_ambiguous(one.field, one.matched)
    return Finding(
        Rule.AMBIGUOUS_FIELD,
        one.place.path,
        one.place.field,
        f"field {one.field.name} with the aliases {listed(one.field.aliases)}",
        f"the fields {listed(names)}" if len(names) > 1 else f"the field {names[0]}",
        fix.reader,
        fix.writer,
    )


def _fields(names: list[str]) -> str:
    return f"the fields {listed(names)}" if names else "no fields"
