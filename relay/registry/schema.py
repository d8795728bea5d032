"""Schema texts: parsing, the stored form, digests and ids.

Source of the text rules: Apache Avro 1.12 specification, "Schema Declaration".
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import count
from typing import Any

from relay.registry.errors import invalid_schema, schema_too_large
from relay.schema.avro.invalid import SchemaInvalid
from relay.schema.avro.json_text import without_comments
from relay.schema.avro.names import Strictness
from relay.schema.avro.nodes import Node
from relay.schema.avro.normal import normal_form
from relay.schema.avro.parse import parse_with_references

__all__ = ["Reference", "candidate_ids", "compact", "digest", "normal", "parse"]

LARGEST_TEXT = 1_000_000

_ID_BITS = 31
# Bounds the cache: a schema takes some twenty times the memory of its text.
_REMEMBERED = 512
_REMEMBERED_TEXT = 16_384


@dataclass(frozen=True, slots=True)
class Reference:
    """A named type that a schema takes from a version of another subject."""

    name: str
    subject: str
    version: int

    def to_json(self) -> dict[str, Any]:
        """As in requests and answers."""
        return {"name": self.name, "subject": self.subject, "version": self.version}


def compact(text: str) -> str:
    """Returns `text` without white space and comments, its keys in the order they were written.

    Raises ApiError 42201 when it is not JSON, 42209 when it has more than a million characters.
    """
    if len(text) > LARGEST_TEXT:
        raise schema_too_large(len(text), LARGEST_TEXT)
    try:
        loaded = json.loads(without_comments(text), parse_constant=_no_number, parse_float=_float)
        found = json.dumps(loaded, separators=(",", ":"), ensure_ascii=False)
        found.encode()  # half a surrogate pair is valid JSON, but can't be stored
        return found
    except (ValueError, RecursionError) as error:
        raise invalid_schema(f"the text is not JSON: {error}") from error


def _no_number(word: str) -> float:
    # Python reads and writes NaN and Infinity, which are not JSON.
    raise ValueError(f"{word} is not a number")


def _float(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError(f"{text[:20]} is beyond the numbers of a double")
    return number


def normal(text: str, referenced: Sequence[str] = (), *, new: bool = True) -> str:
    """Normal form of `text`, see relay.schema.avro.normal; arguments and errors as `parse`."""
    return _understood(text, referenced, new=new).form


def parse(text: str, referenced: Sequence[str] = (), *, new: bool = True) -> Node:
    """Parses `text`; small ones are cached and must not be changed.

    referenced: texts whose named types it may use, each after those that it needs itself.
    new: it is not registered yet, so everything about it must be valid to Java's parser. A schema
    that is registered, here or in another registry, may have invalid defaults.
    Raises ApiError 42201 with the place and the reason.
    """
    return _understood(text, referenced, new=new).root


def digest(
    text: str, references: Sequence[Reference] = (), referenced: Sequence[bytes] = ()
) -> bytes:
    """Returns 32 bytes that ignore white space and the order of keys.

    referenced: digests of the referenced schemas. A version's number is not enough: it may be
    another schema in another database, or after it was deleted forever.
    Normal forms have equal digests exactly where two schemas are the same.
    """
    following = [[one.hex() for one in referenced]] if referenced else []
    ordered = json.dumps(
        [json.loads(text), [reference.to_json() for reference in references], *following],
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=True,
    )
    return hashlib.sha256(ordered.encode()).digest()


def candidate_ids(of_digest: bytes) -> Iterator[int]:
    """Yields ids to try in turn, each in 1 .. 2**31 - 1; the first is free unless texts collide.

    Ids are computed from the text and don't come from a sequence: one that went back in a failover
    would give the id of records in topics to another schema.
    """
    size = 2**_ID_BITS - 1
    first = int.from_bytes(of_digest[:8], "big") % size
    for step in count():
        yield (first + step) % size + 1


class _Understood:
    """A parsed text. Raises ApiError 42201."""

    def __init__(self, text: str, referenced: Sequence[str], new: bool) -> None:
        strictness = Strictness.JAVA if new else Strictness.STANDING
        try:
            self._parsed = parse_with_references(text, referenced, strictness=strictness)
        except SchemaInvalid as error:
            raise invalid_schema(str(error)) from error
        self.root = self._parsed.root

    @cached_property
    def form(self) -> str:
        try:
            return normal_form(self._parsed)
        except RecursionError as error:
            raise invalid_schema("$: it is nested too deeply. Flatten it") from error


def _understood(text: str, referenced: Sequence[str], *, new: bool) -> _Understood:
    small = len(text) + sum(map(len, referenced)) <= _REMEMBERED_TEXT
    make = _remembered if small else _Understood
    return make(text, tuple(referenced), new)


_remembered = lru_cache(_REMEMBERED)(_Understood)
