"""Registries of a test's own, and plain requests to them."""

from __future__ import annotations

import json
import uuid
from typing import Any

import httpx

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"


def record(*fields: str, name: str = "Order") -> str:
    """Text of a record; a field is written `name:type` or `name:type=default` in JSON."""
    parts = []
    for field in fields:
        key, _, rest = field.partition(":")
        kind, _, default = rest.partition("=")
        parts.append(
            {"name": key, "type": kind} | ({"default": json.loads(default)} if default else {})
        )
    return json.dumps({"type": "record", "name": name, "fields": parts})


def unused_subject() -> str:
    """A subject that no other test uses."""
    return f"events.test-{uuid.uuid4().hex}"


class Asking:
    """Plain requests to a registry; keeps answers to the registry's own form.

    strict: False for another registry, whose answers may have more fields and other types.
    """

    def __init__(self, url: str, *, strict: bool = True) -> None:
        self._http = httpx.Client(base_url=url, timeout=15, trust_env=False)
        self._strict = strict

    def __call__(self, method: str, address: str, body: Any = None) -> tuple[int, Any]:
        """(HTTP status, JSON) of a request."""
        response = self._http.request(method, address, json=body)
        if self._strict:
            assert response.headers["content-type"] == MEDIA_TYPE
        return response.status_code, response.json()

    def raw(self, method: str, address: str, content: bytes, **headers: str) -> httpx.Response:
        """The answer to a body that is sent as it is; headers with `_` in place of `-`."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._http.request(method, address, content=content, headers=given)

    def code(self, method: str, address: str, body: Any = None) -> int:
        """Error code of a request that must fail; an error has code and message alone."""
        status, content = self(method, address, body)
        assert status >= 400, content
        assert set(content) == {"error_code", "message"}
        assert str(content["error_code"]).startswith(str(status)) or status == 503
        return int(content["error_code"])

    def register(self, subject: str, text: str, **more: Any) -> int:
        """Id of a schema that must be accepted."""
        status, content = self("POST", f"/subjects/{subject}/versions", {"schema": text, **more})
        assert (status, set(content)) == (200, {"id"}), content
        return int(content["id"])
