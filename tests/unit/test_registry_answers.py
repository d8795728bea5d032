"""What the relay makes of a registry's answers, and of what answers in place of one."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from relay.errors import ConfigurationInvalid, RegistryUnavailable
from relay.schema.client.answer import RegistryRefused, content_of
from relay.schema.client.client import RegistryClient

SCHEMA = {"schema": str}
REQUEST = httpx.Request("GET", "http://someone:secret@registry:8081/schemas/ids/5")


def answer(status: int, content: bytes) -> httpx.Response:
    return httpx.Response(status, content=content, request=REQUEST)


@pytest.mark.parametrize(
    ("status", "content", "having"),
    [
        (200, b"<html>", SCHEMA),
        (200, b'{"schema": "', SCHEMA),
        (200, b"{}", SCHEMA),
        (200, b"[]", SCHEMA),
        (200, b"null", SCHEMA),
        (200, b'"up"', SCHEMA),
        (200, b'{"schema": null}', SCHEMA),
        (200, b'{"status": "up"}', list),
        (204, b"", SCHEMA),
        (302, b"{}", SCHEMA),
        (404, b"[]", SCHEMA),
        (404, b"null", SCHEMA),
        (404, b'{"detail": "no such route"}', SCHEMA),
        (404, b'{"error_code": "40403"}', SCHEMA),
    ],
)
def test_an_answer_that_no_registry_gives_is_an_outage(
    status: int, content: bytes, having: Any
) -> None:
    with pytest.raises(RegistryUnavailable, match="EVENT_BUS_SCHEMA_REGISTRY_URL") as failure:
        content_of(answer(status, content), having)

    assert "registry:8081/schemas/ids/5" in str(failure.value)
    assert "secret" not in str(failure.value)


def test_an_answer_may_have_more_fields_than_required() -> None:
    found = content_of(answer(200, b'{"schema": "x", "maxId": 7}'), SCHEMA)

    assert found == {"schema": "x", "maxId": 7}
    assert content_of(answer(200, b"[1, 2]"), list) == [1, 2]


def test_absence_and_refusal_differ_by_the_error_code() -> None:
    absent = answer(404, b'{"error_code": 40403, "message": "Schema 5 not found"}')
    unset = answer(404, b'{"error_code": 40408, "message": "not set"}')

    assert content_of(absent, SCHEMA) is None
    assert content_of(unset, SCHEMA, frozenset({40408})) is None
    with pytest.raises(RegistryRefused, match="not set") as refusal:
        content_of(unset, SCHEMA)
    assert refusal.value.code == 40408


@pytest.mark.parametrize(
    "url",
    ["http://host:port", "http://[::1", "https:///subjects", "ftp://host", "http://\u00fc..b"],
)
def test_a_url_without_a_host_or_with_a_wrong_port_is_refused_by_name(url: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="EVENT_BUS_SCHEMA_REGISTRY_URL"):
        RegistryClient(url)
