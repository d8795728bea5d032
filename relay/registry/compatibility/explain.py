"""Reasons for a verdict, in the order of the reader's schema."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from avro.schema import Schema

from relay.registry.compatibility.check import (
    Ambiguous,
    Check,
    alike,
    matches,
    missing_symbols,
)
from relay.registry.compatibility.describe import described, listed, named
from relay.registry.compatibility.finding import Finding
from relay.registry.compatibility.mend import (
    Mend,
    mend_ambiguous,
    mend_branch,
    mend_field,
    mend_name,
    mend_size,
    mend_symbols,
    mend_type,
)
from relay.registry.compatibility.places import ROOT, AtField, Place
from relay.registry.compatibility.rules import Rule
from relay.registry.compatibility.types import (
    NAMED,
    branches_of,
    default_symbol,
    element_of,
    field_aliases,
    fields_of,
    kind_of,
    same_name,
    size_of,
)

__all__ = ["findings"]

# Of unions within unions; beyond it the reasons of reasons confuse.
_BECAUSE_DEPTH = 3
# Fields of the writer that are tried as a missing field's former name.
_CANDIDATES = 20


def findings(reader: Schema, writer: Schema) -> list[Finding]:
    """Why data written with `writer` can't be read with `reader`; empty when it can.

    The verdict is that of Java's SchemaCompatibility.checkReaderWriterCompatibility. Where that
    throws, since a field of the reader matches several of the writer's, the finding's rule is
    AMBIGUOUS_FIELD. Ambiguous fields come first, all others in the order of the reader's schema;
    a pair of types that is met at several places is reported at the first of them.
    """
    check = Check(reader, writer)
    if check.compatible:
        return []
    found = [_ambiguous(one) for one in check.ambiguous]
    return found + _Explanation(check).of(_Pair(reader, writer, ROOT))


class _Pair(NamedTuple):
    """Types that do not go together. union: the writer's union that `writer` is a branch of."""

    reader: Schema
    writer: Schema
    place: Place
    union: Schema | None = None

    def finding(
        self,
        rule: Rule,
        mend: Mend,
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
        return Finding(rule, at.path, at.field, ours, theirs, mend.reader, mend.writer, because)


class _Explanation:
    """Walks down from a pair that does not fit to the rules that are broken."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._explained: set[tuple[int, int]] = set()
        # Apart, since what is said of a branch must not keep its place of its own from being
        # named; shared by all branches, so that each pair is looked at twice at most.
        self._explained_in_branches: set[tuple[int, int]] = set()

    def of(self, pair: _Pair, depth: int = 0) -> list[Finding]:
        """Findings of a pair in order. depth: unions that the pair is a branch of."""
        explained = self._explained_in_branches if depth else self._explained
        found: list[Finding] = []
        ahead: list[_Pair | Finding] = [pair]
        while ahead:
            following = ahead.pop()
            if isinstance(following, Finding):
                found.append(following)
                continue
            key = (id(following.reader), id(following.writer))
            if key in explained or self._check.fits(following.reader, following.writer):
                continue
            explained.add(key)
            ahead.extend(reversed(list(self._look_into(following, depth))))
        return found

    def _look_into(self, pair: _Pair, depth: int) -> Iterator[_Pair | Finding]:
        reader, writer, place = pair.reader, pair.writer, pair.place
        kind = kind_of(reader)
        if writer.type == "union":
            for branch in branches_of(writer):
                yield _Pair(reader, branch, place, writer)
        elif kind == "union":
            yield self._missing_branch(pair, depth)
        elif kind != kind_of(writer):
            yield pair.finding(Rule.TYPE_MISMATCH, mend_type(reader, writer, pair.union))
        else:
            if kind in NAMED and not same_name(reader, writer):
                mend = mend_name(reader, writer)
                at = place.down("name")
                ours, theirs = named(reader), named(writer)
                yield pair.finding(Rule.NAME_MISMATCH, mend, place=at, reader=ours, writer=theirs)
            if kind == "record":
                yield from self._look_into_fields(pair)
            elif kind in {"array", "map"}:
                yield _Pair(element_of(reader), element_of(writer), place.to(kind))
            elif kind == "enum" and (missing := missing_symbols(reader, writer)):
                mend = mend_symbols(reader, missing)
                at = place.down("symbols")
                yield pair.finding(Rule.MISSING_ENUM_SYMBOLS, mend, place=at)
            elif kind == "fixed" and size_of(reader) != size_of(writer):
                mend = mend_size(reader, writer)
                yield pair.finding(Rule.FIXED_SIZE_MISMATCH, mend, place=place.down("size"))

    def _look_into_fields(self, pair: _Pair) -> Iterator[_Pair | Finding]:
        by_name = {field.name: field for field in fields_of(pair.writer)}
        fields = fields_of(pair.reader)
        matched = [matches(field, by_name) for field in fields]
        read = {field.name for found in matched for field in found}
        unread = list(islice((f for f in by_name.values() if f.name not in read), _CANDIDATES))
        theirs = f"{named(pair.writer)} with {_fields(list(by_name))}"
        for index, (field, found) in enumerate(zip(fields, matched, strict=True)):
            at = AtField(index, field.name)
            if len(found) == 1:
                yield _Pair(field.type, found[0].type, pair.place.to(at))
            elif not found and not field.has_default:
                renamed = [other.name for other in unread if alike(field.type, other.type)]
                ours = f"field {field.name} of {described(field.type)}, without default"
                if kind_of(field.type) == "enum" and default_symbol(field.type) is not None:
                    ours += " (the enum's own is for unknown symbols)"
                yield pair.finding(
                    Rule.READER_FIELD_MISSING_DEFAULT_VALUE,
                    mend_field(field, renamed),
                    place=pair.place.at(at),
                    reader=ours,
                    writer=theirs,
                )

    def _missing_branch(self, pair: _Pair, depth: int) -> Finding:
        reader, writer = pair.reader, pair.writer
        because: list[Finding] = []
        nearest = _nearest(reader, writer)
        if nearest is not None and depth < _BECAUSE_DEPTH:
            branch = branches_of(reader)[nearest]
            because = self.of(_Pair(branch, writer, pair.place.to(nearest)), depth + 1)
        mend = mend_branch(reader, writer, pair.union, nearly=nearest is not None)
        return pair.finding(Rule.MISSING_UNION_BRANCH, mend, because=tuple(because))


def _nearest(union: Schema, writer: Schema) -> int | None:
    """Index of the branch that was meant: of the same kind and, where it has one, name."""
    kind = kind_of(writer)
    for index, branch in enumerate(branches_of(union)):
        if kind_of(branch) == kind and (kind not in NAMED or same_name(branch, writer)):
            return index
    return None


def _ambiguous(one: Ambiguous) -> Finding:
    names = list(dict.fromkeys(field.name for field in one.matched))
    mend = mend_ambiguous(one.field, one.matched)
    return Finding(
        Rule.AMBIGUOUS_FIELD,
        one.place.path,
        one.place.field,
        f"field {one.field.name} with the aliases {listed(field_aliases(one.field))}",
        f"the fields {listed(names)}" if len(names) > 1 else f"the field {names[0]}",
        mend.reader,
        mend.writer,
    )


def _fields(names: list[str]) -> str:
    return f"the fields {listed(names)}" if names else "no fields"
