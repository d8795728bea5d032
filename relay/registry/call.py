"""A request, parsed and checked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relay.registry import errors
from relay.registry.names import DEFAULT_CONTEXT, check_subject, context_of, qualify
from relay.registry.registering import Proposed
from relay.registry.schema import Reference

__all__ = ["LEVEL_FIELDS", "MODE_FIELDS", "Call"]

_LARGEST = 2**31 - 1
_UNSUPPORTED = ("metadata", "ruleSet", "schemaTagsToAdd", "schemaTagsToRemove")
SCHEMA_FIELDS = frozenset(
    {
        "schema",
        "schemaType",
        "references",
        "id",
        "version",
        "propagateSchemaTags",
        *_UNSUPPORTED,
    }
)
LEVEL_FIELDS = frozenset(
    {
        "compatibility",
        "compatibilityGroup",
        "compatibilityPolicy",
        "normalize",
        "alias",
        "aliasForDeks",
        "validateFields",
        "validateNewSchemas",
        "validateRules",
        "defaultMetadata",
        "overrideMetadata",
        "defaultRuleSet",
        "overrideRuleSet",
    }
)
MODE_FIELDS = frozenset({"mode"})
_NUMBER = re.compile(r"[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Call:
    """A request.

    path: parts of the address by name, percent-decoded; query: parameters; content: the body.
    """

    path: Mapping[str, Any]
    query: Mapping[str, str]
    content: bytes = b""

    @property
    def subject(self) -> str:
        """The qualified subject in the address; where there is none, its context's scope.

        That of the default context is the empty string, the global one.
        Raises ApiError 42208 for a name that no subject may have.
        """
        subject = self.qualified(self.path.get("subject", ""))
        check_subject(subject)
        return subject

    def qualified(self, subject: str) -> str:
        """`subject` in the context of the address."""
        return qualify(subject, self.path.get("context", DEFAULT_CONTEXT))

    def is_within(self, subject: str) -> bool:
        """Returns whether a qualified subject is in the context of the address, if that has one."""
        return "context" not in self.path or context_of(subject) == context_of(self.qualified("x"))

    def prefix(self) -> str:
        """The prefix of qualified subjects that `subjectPrefix` requests."""
        prefix = self.query.get("subjectPrefix", "")
        prefix = "" if prefix == ":*:" else prefix
        return self.qualified(prefix) if "context" in self.path else prefix

    def flag(self, name: str) -> bool:
        """A parameter that is true or false, false when absent."""
        return self.query.get(name, "").lower() == "true"

    def page(self, items: list[Any]) -> list[Any]:
        """Returns the part of `items` that `offset` and `limit` select, all by default."""
        offset = max(self._number("offset", 0), 0)
        limit = self._number("limit", -1)
        return items[offset:] if limit < 0 else items[offset : offset + limit]

    def schema_id(self) -> int:
        """The schema id in the address. Raises ApiError 40403 for something else."""
        text = self.path["id"]
        if not _NUMBER.fullmatch(text) or int(text) > _LARGEST:
            raise errors.schema_not_found(f"Schema {text}")
        return int(text)

    def version(self) -> int | None:
        """The version in the address, None for the latest. Raises ApiError 42202."""
        text = self.path["version"]
        if text in ("latest", "-1"):
            return None
        if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= _LARGEST:
            raise errors.invalid_version(text)
        return int(text)

    def body(self, known: frozenset[str]) -> dict[str, Any]:
        """The body, a JSON object with fields among `known`. Raises ApiError 400, 422."""
        if not self.content.strip():
            raise errors.no_body()
        try:
            found = json.loads(self.content)
            # Half a surrogate pair can be written in JSON, but neither be stored nor answered.
            json.dumps(found, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            raise errors.malformed(f"The request's body is not JSON: {error}") from None
        if not isinstance(found, dict):
            raise errors.malformed("The request's body is JSON, but not an object")
        if others := sorted(found.keys() - known):
            raise errors.unrecognized(", ".join(others), ", ".join(sorted(known)))
        return found

    def proposed(self) -> Proposed:
        """The schema in the body. Raises ApiError 400, 422, 42201."""
        body = self.body(SCHEMA_FIELDS)
        text = body.get("schema")
        if text is not None and not isinstance(text, str):
            raise errors.malformed(f"'schema' is {_kind(text)}: send the schema's JSON as a string")
        if not text:
            raise errors.invalid_schema("the request has no string under 'schema'")
        if (kind := body.get("schemaType") or "AVRO") != "AVRO":
            raise errors.invalid_schema(f"the type {kind!r} is not supported, only 'AVRO' is")
        for part in _UNSUPPORTED:
            if body.get(part):
                raise errors.invalid_schema(f"'{part}' is not supported, leave it out")
        references = body.get("references") or []
        if not isinstance(references, list):
            raise errors.malformed(f"'references' is {_kind(references)}, not a list")
        return Proposed(
            text=text,
            references=tuple(self._reference(*one) for one in enumerate(references)),
            schema_id=_positive(body, "id"),
            version=_positive(body, "version"),
            normalize=self.flag("normalize"),
        )

    def _reference(self, index: int, given: Any) -> Reference:
        match given:
            case {"name": str(name), "subject": str(subject), "version": int(version)} if (
                not isinstance(version, bool)
            ):
                # The context is that of the schema that refers, unless the reference names one.
                return Reference(name, qualify(subject, context_of(self.subject)), version)
        raise errors.invalid_schema(
            f"references[{index}] needs the strings 'name' and 'subject' and the number 'version'"
        )

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
        raise errors.malformed(f"'{name}' must be a number from 1 to {_LARGEST}")
    return number


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    return kinds.get(type(value), "a number")
