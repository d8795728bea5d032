"""A request, taken apart and checked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relay.registry.server import refusals
from relay.registry.server.names import DEFAULT_CONTEXT, qualify
from relay.registry.server.registering import Proposed
from relay.registry.server.schema import Reference

__all__ = ["Call"]

_LARGEST = 2**31 - 1
_NUMBER = re.compile(r"[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked for.

    path: parts of the address by name, percent-decoded; query: parameters; content: the body.
    """

    path: Mapping[str, Any]
    query: Mapping[str, str]
    content: bytes = b""

    @property
    def subject(self) -> str:
        """The qualified subject in the address, the empty text where there is none."""
        return self.qualified(self.path["subject"]) if "subject" in self.path else ""

    def qualified(self, subject: str) -> str:
        """`subject` in the context of the address."""
        return qualify(subject, self.path.get("context", DEFAULT_CONTEXT))

    def flag(self, name: str) -> bool:
        """A parameter that is true or false, false when absent."""
        return self.query.get(name, "").lower() == "true"

    def page(self, items: list[Any]) -> list[Any]:
        """The part of `items` that `offset` and `limit` ask for, all by default."""
        offset = max(self._number("offset", 0), 0)
        limit = self._number("limit", -1)
        return items[offset:] if limit < 0 else items[offset : offset + limit]

    def schema_id(self) -> int:
        """The schema id in the address. Raises Refusal 40403 for what can't be one."""
        text = self.path["id"]
        if not _NUMBER.fullmatch(text) or int(text) > _LARGEST:
            raise refusals.schema_not_found(f"Schema {text}")
        return int(text)

    def version(self) -> int | None:
        """The version in the address, None for the latest. Raises Refusal 42202."""
        text = self.path["version"]
        if text in ("latest", "-1"):
            return None
        if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= _LARGEST:
            raise refusals.invalid_version(text)
        return int(text)

    def body(self) -> dict[str, Any]:
        """The body, a JSON object. Raises Refusal 42201 otherwise."""
        try:
            found = json.loads(self.content)
        except (ValueError, RecursionError) as error:
            raise refusals.invalid_schema(f"the request's body is not JSON: {error}") from None
        if not isinstance(found, dict):
            raise refusals.invalid_schema("the request's body is not a JSON object")
        return found

    def proposed(self) -> Proposed:
        """The schema in the body. Raises Refusal 42201."""
        body = self.body()
        text = body.get("schema")
        if not isinstance(text, str) or not text:
            raise refusals.invalid_schema("the request has no text under 'schema'")
        if (kind := body.get("schemaType") or "AVRO") != "AVRO":
            raise refusals.invalid_schema(f"the type {kind!r} is not supported, only 'AVRO' is")
        for part in ("metadata", "ruleSet"):
            if body.get(part):
                raise refusals.invalid_schema(f"'{part}' is not supported, leave it out")
        references = body.get("references") or []
        if not isinstance(references, list):
            raise refusals.invalid_schema("'references' is no list")
        return Proposed(
            text=text,
            references=tuple(self._reference(one) for one in references),
            schema_id=_positive(body, "id"),
            version=_positive(body, "version"),
        )

    def _reference(self, given: Any) -> Reference:
        try:
            return Reference(
                str(given["name"]), self.qualified(str(given["subject"])), int(given["version"])
            )
        except (KeyError, TypeError, ValueError):
            raise refusals.invalid_schema(
                "each of 'references' needs 'name', 'subject' and 'version'"
            ) from None

    def _number(self, name: str, default: int) -> int:
        try:
            return int(self.query.get(name, default))
        except ValueError:
            return default


def _positive(body: Mapping[str, Any], name: str) -> int | None:
    number = body.get(name)
    if number is None or number in (0, -1):
        return None
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number <= _LARGEST:
        raise refusals.invalid_schema(f"'{name}' must be a number from 1 to {_LARGEST}")
    return number
