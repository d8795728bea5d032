"""The verdict on a pair of schemas, found by the steps that Java's SchemaCompatibility takes.

Source: Apache Avro for Java 1.12.1, `org.apache.avro.SchemaCompatibility`; Apache Avro 1.12
specification, "Schema Resolution".
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

from avro.schema import Field, Schema

from relay.registry.compatibility.places import ROOT, AtField, Place, Step
from relay.registry.compatibility.rules import PROMOTIONS
from relay.registry.compatibility.types import (
    branches_of,
    default_symbol,
    element_of,
    field_aliases,
    fields_of,
    kind_of,
    same_name,
    size_of,
    symbols_of,
)

__all__ = ["Ambiguous", "Check", "alike", "matches", "missing_symbols"]

_CONTAINERS = frozenset({"record", "array", "map"})


class _Asked(NamedTuple):
    """A pair of types that a verdict depends on, one step from the reader's type."""

    reader: Schema
    writer: Schema
    step: Step


_Judging = Generator[_Asked, bool, bool]


class Ambiguous(NamedTuple):
    """A reader's field that matches several of the writer's, and the place of the field."""

    place: Place
    field: Field
    matched: list[Field]


def matches(field: Field, by_name: dict[str, Field]) -> list[Field]:
    """The writer's fields that a reader's field stands for.

    by_name: the writer's fields. By name first, then by each alias; a field whose alias is its
    own name matches twice, as it does in Java.
    """
    found = [by_name[field.name]] if field.name in by_name else []
    if "aliases" in field.props:
        found += [by_name[alias] for alias in field_aliases(field) if alias in by_name]
    return found


def missing_symbols(reader: Schema, writer: Schema) -> list[str]:
    """The writer's symbols that mean nothing to the reader's enum, in order."""
    if default_symbol(reader) is not None:
        return []
    known = set(symbols_of(reader))
    return [symbol for symbol in symbols_of(writer) if symbol not in known]


def alike(reader: Schema, writer: Schema) -> bool:
    """Whether types fit at first sight, without a look into records, containers and unions."""
    if _is_leaf(reader, writer):
        return _leaf_fits(reader, writer)
    kind = kind_of(reader)
    return kind == kind_of(writer) and (kind != "record" or same_name(reader, writer))


class Check:
    """Verdicts on a pair of schemas and on all pairs of types that are met on the way.

    ambiguous: fields at which Java gives up; with any the schemas are incompatible, whatever
    the verdict on the rest.
    """

    def __init__(self, reader: Schema, writer: Schema) -> None:
        self.ambiguous: list[Ambiguous] = []
        # By identity, since a named type is one object wherever it is referred to. A pair under
        # way counts as compatible, which ends recursion.
        self._verdicts: dict[tuple[int, int], bool] = {}
        self._way: list[Step] = []
        self.compatible = self._run(_Asked(reader, writer, None)) and not self.ambiguous

    def fits(self, reader: Schema, writer: Schema) -> bool:
        """The verdict on a pair that was met."""
        if _is_leaf(reader, writer):
            return _leaf_fits(reader, writer)
        return self._verdicts[id(reader), id(writer)]

    def _run(self, asked: _Asked) -> bool:
        # Not recursive, since types that name each other can be nested deeper than Python's
        # stack although the text is flat.
        verdicts = self._verdicts
        under_way: list[tuple[tuple[int, int], _Judging]] = []
        while True:
            key = (id(asked.reader), id(asked.writer))
            if _is_leaf(asked.reader, asked.writer):
                answer = _leaf_fits(asked.reader, asked.writer)
            elif key in verdicts:
                answer = verdicts[key]
            else:
                verdicts[key] = True
                judging = self._judge(asked.reader, asked.writer)
                under_way.append((key, judging))
                self._way.append(asked.step)
                try:
                    asked = next(judging)
                    continue
                except StopIteration as done:
                    answer = self._settle(under_way, done.value)
            while under_way:
                try:
                    asked = under_way[-1][1].send(answer)
                    break
                except StopIteration as done:
                    answer = self._settle(under_way, done.value)
            else:
                return answer

    def _settle(self, under_way: list[tuple[tuple[int, int], _Judging]], verdict: bool) -> bool:
        key, _ = under_way.pop()
        self._way.pop()
        self._verdicts[key] = verdict
        return verdict

    def _judge(self, reader: Schema, writer: Schema) -> _Judging:
        """Asks for the verdicts that this one depends on, in Java's order, and returns it.

        Only a reader's union stops early. All others ask on, since a field further on may be
        ambiguous, and a pair under way may be met again.
        """
        kind = kind_of(reader)
        if writer.type == "union":
            fits = True
            for branch in branches_of(writer):
                fits &= yield _Asked(reader, branch, None)
            return fits
        if kind == "union":
            for index, branch in enumerate(branches_of(reader)):
                if (yield _Asked(branch, writer, index)):
                    return True
            return False
        if kind == "record":
            return (yield from self._judge_fields(reader, writer))
        return (yield _Asked(element_of(reader), element_of(writer), kind))

    def _judge_fields(self, reader: Schema, writer: Schema) -> _Judging:
        fits = same_name(reader, writer)
        by_name = {field.name: field for field in fields_of(writer)}
        for index, field in enumerate(fields_of(reader)):
            match matches(field, by_name):
                case []:
                    fits &= field.has_default
                case [matched]:
                    fits &= yield _Asked(field.type, matched.type, AtField(index, field.name))
                case several:
                    self.ambiguous.append(
                        Ambiguous(self._place(AtField(index, field.name)), field, several)
                    )
                    fits = False
        return fits

    def _place(self, field: AtField) -> Place:
        place = ROOT
        for step in self._way:
            place = place.to(step)
        return place.at(field)


def _is_leaf(reader: Schema, writer: Schema) -> bool:
    """Whether the verdict on a pair depends on no other pair's."""
    if reader.type == "union" or writer.type == "union":
        return False
    kind = kind_of(reader)
    return kind not in _CONTAINERS or kind != kind_of(writer)


def _leaf_fits(reader: Schema, writer: Schema) -> bool:
    kind = kind_of(reader)
    if kind != kind_of(writer):
        return writer.type in PROMOTIONS.get(kind, ())
    if kind == "enum":
        return same_name(reader, writer) and not missing_symbols(reader, writer)
    if kind == "fixed":
        return same_name(reader, writer) and size_of(reader) == size_of(writer)
    return True
