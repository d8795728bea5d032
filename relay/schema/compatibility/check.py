"""Decides whether a reader's schema can read what a writer's schema wrote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from relay.schema.avro.nodes import Field, Node
from relay.schema.compatibility.walk import (
    ROOT,
    AtField,
    Condition,
    PathStep,
    Place,
    TypePair,
    Unmatched,
    leaf_rules,
    one_branch_is_enough,
    parts,
)

__all__ = ["Ambiguous", "Check"]


class Ambiguous(NamedTuple):
    """A reader's field that matches several of the writer's fields, and its place."""

    place: Place
    field: Field
    matched: list[Field]


@dataclass(slots=True)
class _Pending:
    """A pair that waits for the verdicts on its parts. fits: according to the parts so far."""

    key: tuple[int, int]
    step: PathStep
    parts: Iterator[Condition]
    one_is_enough: bool
    fits: bool

    def take(self, answer: bool) -> None:
        """Combines the verdict on a part with those before."""
        self.fits = answer if self.one_is_enough else self.fits and answer


class Check:
    """Verdicts on a pair of schemas and on all pairs of types within them.

    ambiguous: fields for which Java throws; any of them makes the schemas incompatible.
    """

    def __init__(self, reader: Node, writer: Node) -> None:
        self.ambiguous: list[Ambiguous] = []
        # By identity: a named type is one object wherever it is referred to. A pair in progress
        # counts as compatible, which ends recursion.
        self._verdicts: dict[tuple[int, int], bool] = {}
        fits = self.verdict(reader, writer)
        if fits is None:
            fits = self._check(reader, writer)
        self.compatible = fits and not self.ambiguous

    def verdict(self, reader: Node, writer: Node) -> bool | None:
        """Returns whether a pair of types fits; None if it was not checked yet."""
        broken = leaf_rules(reader, writer)
        if broken is not None:
            return not broken
        return self._verdicts.get((id(reader), id(writer)))

    def _check(self, reader: Node, writer: Node) -> bool:
        # An explicit stack: types that refer to each other can nest deeper than Python's stack,
        # even in a flat schema.
        stack = [self._begin(TypePair(reader, writer, None))]
        while True:
            pending = stack[-1]
            if unknown := self._next_unknown(pending, stack):
                stack.append(self._begin(unknown))
                continue
            stack.pop()
            self._verdicts[pending.key] = pending.fits
            if not stack:
                return pending.fits
            stack[-1].take(pending.fits)

    def _begin(self, unknown: TypePair) -> _Pending:
        reader, writer, step = unknown
        key = (id(reader), id(writer))
        self._verdicts[key] = True
        any_branch = one_branch_is_enough(reader, writer)
        return _Pending(key, step, parts(reader, writer), any_branch, not any_branch)

    def _next_unknown(self, pending: _Pending, stack: list[_Pending]) -> TypePair | None:
        """Returns a part to check first, or None when the pair is decided.

        Only a reader's union stops early. Other pairs go on, since a later field may be
        ambiguous, and a pair in progress may occur again.
        """
        if pending.one_is_enough and pending.fits:
            return None
        for part in pending.parts:
            if isinstance(part, TypePair):
                fits = self.verdict(part.reader, part.writer)
                if fits is None:
                    return part
                pending.take(fits)
                if pending.one_is_enough and fits:
                    return None
            else:
                pending.fits = False
                if isinstance(part, Unmatched) and part.matched:
                    place = _place(stack, part.at)
                    self.ambiguous.append(Ambiguous(place, part.field, part.matched))
        return None


def _place(stack: list[_Pending], field: AtField) -> Place:
    place = ROOT
    for pending in stack:
        place = place.to(pending.step)
    return place.at(field)
