"""The verdict on a pair of schemas."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from relay.schema.avro.nodes import Field, Node
from relay.schema.compatibility.places import ROOT, AtField, Place, Step
from relay.schema.compatibility.walk import (
    Asked,
    Part,
    Unmatched,
    broken_by_leaf,
    parts,
    tries_branches,
)

__all__ = ["Ambiguous", "Check"]


class Ambiguous(NamedTuple):
    """A reader's field that matches several of the writer's, and the place of the field."""

    place: Place
    field: Field
    matched: list[Field]


@dataclass(slots=True)
class _Judging:
    """A pair whose verdict waits for those of its parts. fits: by the parts so far."""

    key: tuple[int, int]
    step: Step
    parts: Iterator[Part]
    one_is_enough: bool
    fits: bool

    def take(self, answer: bool) -> None:
        """The verdict on a part."""
        self.fits = answer if self.one_is_enough else self.fits and answer


class Check:
    """Verdicts on a pair of schemas and on all pairs of types that are met on the way.

    ambiguous: fields at which Java gives up; with any the schemas are incompatible, whatever
    the verdict on the rest.
    """

    def __init__(self, reader: Node, writer: Node) -> None:
        self.ambiguous: list[Ambiguous] = []
        # By identity, since a named type is one object wherever it is referred to. A pair under
        # way counts as compatible, which ends recursion.
        self._verdicts: dict[tuple[int, int], bool] = {}
        broken = broken_by_leaf(reader, writer)
        fits = self._judge(reader, writer) if broken is None else not broken
        self.compatible = fits and not self.ambiguous

    def fits(self, reader: Node, writer: Node) -> bool:
        """The verdict on a pair that was met."""
        broken = broken_by_leaf(reader, writer)
        if broken is not None:
            return not broken
        return self._verdicts[id(reader), id(writer)]

    def _judge(self, reader: Node, writer: Node) -> bool:
        # Not recursive, since types that name each other can be nested deeper than Python's
        # stack although the text is flat.
        under_way = [self._begin(Asked(reader, writer, None))]
        while True:
            judging = under_way[-1]
            if asked := self._go_on(judging, under_way):
                under_way.append(self._begin(asked))
                continue
            under_way.pop()
            self._verdicts[judging.key] = judging.fits
            if not under_way:
                return judging.fits
            under_way[-1].take(judging.fits)

    def _begin(self, asked: Asked) -> _Judging:
        reader, writer, step = asked
        key = (id(reader), id(writer))
        self._verdicts[key] = True
        any_branch = tries_branches(reader, writer)
        return _Judging(key, step, parts(reader, writer), any_branch, not any_branch)

    def _go_on(self, judging: _Judging, under_way: list[_Judging]) -> Asked | None:
        """A part whose verdict must be known first; None when that on the pair is.

        Only a reader's union stops early. All others go on, since a field further on may be
        ambiguous, and a pair under way may be met again.
        """
        verdicts, one_is_enough = self._verdicts, judging.one_is_enough
        if one_is_enough and judging.fits:
            return None
        for part in judging.parts:
            if isinstance(part, Asked):
                reader, writer, _ = part
                broken = broken_by_leaf(reader, writer)
                if broken is not None:
                    answer = not broken
                elif (known := verdicts.get((id(reader), id(writer)))) is not None:
                    answer = known
                else:
                    return part
                if one_is_enough:
                    judging.fits = answer
                    if answer:
                        return None
                elif not answer:
                    judging.fits = False
            else:
                judging.fits = False
                if isinstance(part, Unmatched) and part.matched:
                    place = _place(under_way, part.at)
                    self.ambiguous.append(Ambiguous(place, part.field, part.matched))
        return None


def _place(under_way: list[_Judging], field: AtField) -> Place:
    place = ROOT
    for judging in under_way:
        place = place.to(judging.step)
    return place.at(field)
