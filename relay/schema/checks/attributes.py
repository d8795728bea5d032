"""Changes of what people and other tools read: docs and attributes that are not Avro's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from relay.schema.checks.change import Change, Kind
from relay.schema.checks.words import same_value, value_words

__all__ = ["doc", "properties"]


def doc(path: str, what: str, old: str, new: str) -> Iterator[Change]:
    """The change of a doc. what: whose doc it is, in words."""
    if old == new:
        return
    if not old:
        sentence = f"{what} has a doc now: {value_words(new)}."
    elif not new:
        sentence = f"{what} has no doc any more; it was {value_words(old)}."
    else:
        sentence = f"The doc of {what} is {value_words(new)} instead of {value_words(old)}."
    yield Change(path, Kind.DOC_CHANGED, old or None, new or None, _capital(sentence))


def properties(path: str, what: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    """One change for each attribute that differs; before and after are {name: value}."""
    for name in sorted(old.keys() | new.keys()):
        if name in old and name in new and same_value(old[name], new[name]):
            continue
        if name not in old:
            sentence = f"{what} has the attribute {name} now: {value_words(new[name])}."
        elif name not in new:
            sentence = f"{what} lost the attribute {name}, which was {value_words(old[name])}."
        else:
            sentence = (
                f"The attribute {name} of {what} is {value_words(new[name])} instead of "
                f"{value_words(old[name])}."
            )
        yield Change(
            path,
            Kind.PROPERTY_CHANGED,
            {name: old[name]} if name in old else None,
            {name: new[name]} if name in new else None,
            _capital(sentence),
        )


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
