"""Classes whose fields are written as natural JSON, and read from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import cache
from inspect import get_annotations
from typing import Any, ClassVar, Self, get_type_hints

from relay.errors import PayloadInvalid
from relay.natural.fields import Read, Write, reader, writer
from relay.natural.values import HasJson

__all__ = ["JsonRecord", "Part", "arguments", "json_name"]

# Attributes of an event that are not part of its payload.
ENVELOPE = frozenset({"aggregate_id", "metadata", "occurred_at"})


class JsonRecord(HasJson):
    """A class whose fields are written as natural JSON, each under its own name.

    JSON_FIELDS is derived from the fields: name in JSON -> attribute. Names in JSON are in
    lowerCamelCase; JSON_NAMES has the exceptions: attribute -> name in JSON. RECORD is the full
    name of a record that is one of several types of a union, else empty.
    """

    __slots__ = ()

    JSON_NAMES: ClassVar[Mapping[str, str]] = {}
    JSON_FIELDS: ClassVar[dict[str, str]] = {}
    RECORD: ClassVar[str] = ""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # Keeps JSON_FIELDS that the class states, as its copy with slots does.
        if "JSON_FIELDS" in cls.__dict__:
            return
        hints = get_annotations(cls)
        own = [name for name, hint in hints.items() if _is_field(name, hint)]
        cls.JSON_FIELDS = {
            **cls.JSON_FIELDS,
            **{cls.JSON_NAMES.get(name) or json_name(name): name for name in own},
        }

    def to_json(self) -> dict[str, Any]:
        """Natural JSON. A value of another type than its field has is kept, or Mistyped: the
        encoder refuses it by path."""
        found = {}
        for key, name, write in _writers(type(self)):  # type: ignore[arg-type]  # mypy: no hash
            value = getattr(self, name)
            convert = write[type(value)]
            found[key] = value if convert is None else convert(value)
        return found


class Part(JsonRecord):
    """A record within an event's payload, such as one line of an order."""

    __slots__ = ()

    @classmethod
    def from_json(cls, payload: Mapping[str, Any]) -> Self:
        """Reads natural JSON; raises PayloadInvalid when a field is missing or would be lost."""
        return cls(**arguments(cls, payload))


def json_name(attribute: str) -> str:
    """Returns the default name in JSON of an attribute: order_id becomes orderId."""
    first, *others = attribute.strip("_").split("_")
    return first + "".join(f"{word[:1].upper()}{word[1:]}" for word in others)


def arguments(kind: type[JsonRecord], payload: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments of a class from its natural JSON; absent fields keep their defaults.

    Raises PayloadInvalid for a missing field and for an unknown one, which would be lost.
    """
    readers, required = _readers(kind)  # type: ignore[arg-type]  # mypy: no hash
    if not payload.keys() <= readers.keys():
        unknown = min(payload.keys() - readers.keys())
        raise PayloadInvalid(
            f"$.{unknown}",
            f"{kind.__name__} has no such field and would lose it. "
            "Generate the classes again: relay schemas generate",
        )
    if not required <= payload.keys():
        missing = min(required - payload.keys())
        raise PayloadInvalid(f"$.{missing}", f"missing, {kind.__name__} has no default")
    found = {}
    for key, value in payload.items():
        name, read = readers[key]
        found[name] = value if read is None else read(value)
    return found


def _is_field(name: str, hint: Any) -> bool:
    text = hint if isinstance(hint, str) else repr(hint)
    return name not in ENVELOPE and not text.startswith(("ClassVar", "typing.ClassVar"))


@cache
def _writers(kind: type[Any]) -> list[tuple[str, str, Write]]:
    """Returns name in JSON, attribute and writer of each field."""
    try:
        hints = get_type_hints(kind)
    except NameError:  # a class within a function may name others that are there only
        hints = {}
    return [(key, name, writer(hints.get(name))) for key, name in kind.JSON_FIELDS.items()]


@cache
def _readers(kind: type[Any]) -> tuple[dict[str, tuple[str, Read | None]], frozenset[str]]:
    """Returns name in JSON -> attribute and its reader, and the names without default."""
    hints = get_type_hints(kind)
    readers = {key: (name, reader(hints[name])) for key, name in kind.JSON_FIELDS.items()}
    defaults = {
        field.name
        for field in fields(kind)
        if field.default is not MISSING or field.default_factory is not MISSING
    }
    return readers, frozenset(key for key, name in kind.JSON_FIELDS.items() if name not in defaults)
