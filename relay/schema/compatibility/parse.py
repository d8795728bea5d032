"""Reads schema texts, as Java reads them, into the `avro` package's schemas.

The package has the name of a type wrong where `"namespace": ""` takes it out of its record's
namespace and where its record is an `error`, knows no reference out of a namespace to a type
without one, and leaves defaults unchecked. It makes no mistake with what a Reader has read.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import avro.errors
import avro.name
from avro.schema import Schema, make_avsc_object

from relay.schema.compatibility.invalid import SchemaInvalid
from relay.schema.compatibility.reader import Reader
from relay.schema.compatibility.strictness import Strictness

__all__ = ["Reading", "SchemaInvalid", "parse", "read"]


def parse(
    text: str, referenced: Sequence[str] = (), *, strictness: Strictness = Strictness.JAVA
) -> Schema:
    """The schema of `text`, for `findings`.

    referenced: texts whose named types it may use, each after those that it needs itself. They
    stand already, and are read as such.
    Raises SchemaInvalid with the JSON path of what is wrong.
    """
    return read(text, referenced, strictness=strictness).schema


def read(
    text: str, referenced: Sequence[str] = (), *, strictness: Strictness = Strictness.JAVA
) -> Reading:
    """What `text` says; see `parse`. Raises SchemaInvalid with the JSON path of what is wrong."""
    named: dict[str, dict[str, Any]] = {}
    standing = Reader(named, Strictness.STANDING)
    try:
        before = [
            standing.read(json.loads(one), "", "$ of a schema that it refers to")
            for one in referenced
        ]
        return Reading(Reader(named, strictness).read(json.loads(text), "", "$"), before)
    except SchemaInvalid:
        raise
    except ValueError as error:
        raise SchemaInvalid("$", f"the text is not JSON: {error}") from error
    except RecursionError:
        raise SchemaInvalid("$", "it is nested too deeply. Flatten it") from None


class Reading:
    """A schema that was read.

    full: its JSON with full names. referenced: that of the schemas that it may refer to, each
    after those that it needs itself.
    """

    def __init__(self, full: Any, referenced: Sequence[Any] = ()) -> None:
        self.full = full
        self._referenced = referenced

    @cached_property
    def schema(self) -> Schema:
        """As the `avro` package has it. Raises SchemaInvalid where it does not understand it."""
        names = _FullNames(validate_names=False)
        try:
            with warnings.catch_warnings():
                # An unknown or ill-set logical type is read as its base type, as Avro asks for.
                warnings.simplefilter("ignore")
                for one in self._referenced:
                    _made(one, names)
                return _made(self.full, names)
        except (avro.errors.AvroException, ValueError, TypeError) as error:
            raise SchemaInvalid("$", str(error) or type(error).__name__) from error
        except RecursionError:
            raise SchemaInvalid("$", "it is nested too deeply. Flatten it") from None


class _FullNames(avro.name.Names):
    """The package's register of names, for texts that have full names only."""

    # A namespace to complete names with: there are none to complete.
    default_namespace = property(lambda _: None, lambda _, __: None)


def _made(full: Any, names: avro.name.Names) -> Schema:
    # The package knows no text that is nothing but a name.
    if isinstance(full, str) and full in names.names:
        return names.names[full]
    return make_avsc_object(full, names, validate_names=False)
