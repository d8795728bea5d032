"""Reads the answers of a schema registry.

Source: Confluent Schema Registry API reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from relay.errors import RegistryUnavailable, RelayError

__all__ = ["RegistryRefused", "content_of", "without_password"]

_NOT_FOUND = frozenset({40401, 40402, 40403})


class RegistryRefused(RelayError):
    """The registry refused a request; trying again does not help.

    code: its error code (409 or 40901 incompatible, 42201 invalid schema, 42205 read-only).
    """

    def __init__(self, code: int, problem: str) -> None:
        super().__init__(f"the schema registry refused ({code}): {problem}")
        self.code = code
        self.problem = problem


def content_of(
    response: httpx.Response,
    having: Mapping[str, type] | type[list[Any]],
    also_absent: frozenset[int] = frozenset(),
) -> Any:
    """Returns the JSON of an answer, None when the thing does not exist.

    having: fields of a success by type, or that it is a list. also_absent: error codes besides
    40401-40403 that mean that the thing does not exist.
    Raises RegistryRefused, and RegistryUnavailable for an answer that no registry gives: it comes
    from a proxy or another server, and says nothing about schemas.
    """
    try:
        content = response.json()
    except ValueError:
        raise _no_registry(response, "something that is not JSON") from None
    if response.is_success:
        if not _is_like(content, having):
            raise _no_registry(response, "JSON of another form")
        return content
    if not _is_like(content, {"error_code": int}):
        raise _no_registry(response, "no error code of a registry")
    code = content["error_code"]
    if code in _NOT_FOUND | also_absent:
        return None
    raise RegistryRefused(code, str(content.get("message", "no reason given")))


def without_password(url: str) -> str:
    """Returns `url` for messages."""
    head, at, rest = url.rpartition("@")
    return f"{head.partition('://')[0]}://{rest}" if at else url


def _is_like(content: Any, having: Mapping[str, type] | type[list[Any]]) -> bool:
    if isinstance(having, type):
        return isinstance(content, having)
    return isinstance(content, dict) and all(
        isinstance(content.get(name), kind) for name, kind in having.items()
    )


def _no_registry(response: httpx.Response, found: str) -> RegistryUnavailable:
    return RegistryUnavailable(
        f"{without_password(str(response.request.url))} answered {response.status_code} "
        f"with {found}: is it a schema registry? Check EVENT_BUS_SCHEMA_REGISTRY_URL"
    )
