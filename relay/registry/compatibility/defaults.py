"""Defaults that do not fit their field, which the `avro` package leaves unchecked.

Source: Apache Avro for Java 1.12.1, `Schema.isValidDefault`; Apache Avro 1.12 specification,
"Complex Types", table of field default values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from avro.schema import Field, Schema

from relay.avro.times import shown
from relay.registry.compatibility.describe import described, named
from relay.registry.compatibility.names import SchemaInvalid
from relay.registry.compatibility.places import ROOT, AtField, Place
from relay.registry.compatibility.types import (
    branches_of,
    element_of,
    fields_of,
    kind_of,
)

__all__ = ["check_defaults"]


def check_defaults(schema: Schema, checked: set[int]) -> None:
    """Raises SchemaInvalid at the first field, in order, whose default does not fit its type.

    checked: identities of types to pass over; those that were checked are added.
    As Java has it: a union's default may fit any branch, a text is taken for any enum or fixed,
    and a record has no default within its own definition, where it would be without end.
    """
    open_records: set[int] = set()
    ahead: list[tuple[Schema, Place] | _Given | int] = [(schema, ROOT)]
    while ahead:
        following = ahead.pop()
        if isinstance(following, int):
            open_records.remove(following)
        elif isinstance(following, _Given):
            _check(following, open_records)
        else:
            one, place = following
            if kind_of(one) == "record" and id(one) not in checked:
                # The first time that a name is met is its definition.
                open_records.add(id(one))
                ahead.append(id(one))
            if id(one) not in checked:
                checked.add(id(one))
                ahead.extend(reversed(list(_within(one, place))))


class _Given(NamedTuple):
    """A field's default, its type and where it stands."""

    schema: Schema
    default: Any
    place: Place


def _within(one: Schema, place: Place) -> Iterator[tuple[Schema, Place] | _Given]:
    kind = kind_of(one)
    if kind == "union":
        for index, branch in enumerate(branches_of(one)):
            yield branch, place.to(index)
    elif kind in {"array", "map"}:
        yield element_of(one), place.to(kind)
    elif kind == "record":
        for position, field in enumerate(fields_of(one)):
            at = AtField(position, field.name)
            yield field.type, place.to(at)
            if field.has_default:
                yield _Given(field.type, field.default, place.at(at).down("default"))


def _check(given: _Given, open_records: set[int]) -> None:
    try:
        if _Fitting(open_records).fits(given.schema, given.default) or _is_number(given):
            return
        problem = f"is no {described(given.schema)}. Correct it"
    except RecursionError:
        problem = "is nested too deeply. Flatten it"
    except _WithinItself as endless:
        problem = f"is a {endless} within its own definition. Take it away, or use a union"
    raise SchemaInvalid(
        given.place.path,
        f"the default {shown(given.default)} of {given.place.field} {problem}",
    )


class _WithinItself(Exception):
    """The record of this name was to be filled in while it is being defined."""


def _is_number(given: _Given) -> bool:
    # Java reads a text as the number that it spells, at a field of these types alone.
    if given.schema.type not in {"float", "double"} or not isinstance(given.default, str):
        return False
    try:
        float(given.default)
    except ValueError:
        return False
    return True


class _Fitting:
    """Whether values fit types, as long as `open_records` are being defined."""

    def __init__(self, open_records: set[int]) -> None:
        self._open_records = open_records
        # Branches of a union may lead to the same types again, which would take time without
        # end for a default that is nested deeply.
        self._known: dict[tuple[int, int], bool] = {}

    def fits(self, schema: Schema, value: Any) -> bool:
        kind = kind_of(schema)
        if kind in _SIMPLE:
            return _SIMPLE[kind](value)
        if kind == "union":
            return any(self.fits(branch, value) for branch in branches_of(schema))
        if kind == "array":
            element = element_of(schema)
            return isinstance(value, list) and all(self.fits(element, one) for one in value)
        if not isinstance(value, dict):
            return False
        if kind == "map":
            element = element_of(schema)
            return all(self.fits(element, one) for one in value.values())
        if id(schema) in self._open_records:
            raise _WithinItself(named(schema))
        key = (id(schema), id(value))
        if key not in self._known:
            self._known[key] = all(self._fits_field(field, value) for field in fields_of(schema))
        return self._known[key]

    def _fits_field(self, field: Field, value: dict[str, Any]) -> bool:
        if field.name in value:
            return self.fits(field.type, value[field.name])
        return bool(field.has_default) and self.fits(field.type, field.default)


def _is_whole(value: Any, bits: int) -> bool:
    return (
        isinstance(value, int) and not isinstance(value, bool) and -(1 << bits) <= value < 1 << bits
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_real(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_SIMPLE: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "int": lambda value: _is_whole(value, 31),
    "long": lambda value: _is_whole(value, 63),
    "float": _is_real,
    "double": _is_real,
    "string": _is_text,
    "bytes": _is_text,
    "enum": _is_text,
    "fixed": _is_text,
}
