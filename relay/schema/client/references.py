"""Schemas that refer to others, put together from a registry's answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from relay.errors import CatalogInvalid, SchemaUnknown
from relay.schema.avro.json_text import schema_json
from relay.schema.avro.names import Strictness
from relay.schema.avro.normal import normal_form
from relay.schema.avro.parse import Parsed, parse

__all__ = ["whole_schema"]

# Subject and version -> the registry's answer, None where it has no such version.
Ask = Callable[[str, int], Mapping[str, Any] | None]


def whole_schema(found: Mapping[str, Any], ask: Ask, what: str) -> Any:
    """Returns the JSON of a schema with the types of all schemas that it refers to.

    found: the registry's answer. what: names it in errors.
    Raises SchemaUnknown where it is not Avro, or where a schema that it refers to is missing.
    """
    references = _texts(found, ask, what, set())
    try:
        if not references:
            return schema_json(found["schema"])
        root = parse(found["schema"], references, strictness=Strictness.STANDING)
        return orjson.loads(normal_form(Parsed(root, frozenset())))
    except ValueError:
        kind = found.get("schemaType", "of another type")
        raise SchemaUnknown(
            f"{what} is {kind}, and not Avro: see who registers it at this registry"
        ) from None
    except CatalogInvalid as error:
        raise SchemaUnknown(f"{what} can't be read with what it refers to: {error}") from error


def _texts(found: Mapping[str, Any], ask: Ask, what: str, seen: set[tuple[str, int]]) -> list[str]:
    """The texts that a schema refers to, each once and after those that it uses itself."""
    texts: list[str] = []
    for reference in found.get("references") or ():
        subject, version = str(reference["subject"]), int(reference["version"])
        if (subject, version) in seen:
            continue
        seen.add((subject, version))
        other = ask(subject, version)
        if other is None:
            raise SchemaUnknown(
                f"{what} refers to version {version} of subject {subject!r}, which the registry "
                "does not have. Register it again"
            )
        texts += [*_texts(other, ask, what, seen), other["schema"]]
    return texts
