"""Requests that can't be served get a code, a message that names the place, and no traceback."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

import pytest

from tests.integration.registry_servers import MEDIA_TYPE, Asking, record, unused_subject

ONE = record("a:int")


@pytest.fixture
def ask(registry_url: str) -> Asking:
    return Asking(registry_url)


@pytest.fixture
def subject() -> str:
    return unused_subject()


@pytest.mark.parametrize(
    ("content", "code", "place"),
    [
        (b"", 422, "no body"),
        (b"not JSON", 400, "line 1 column 1"),
        (b'{"schema": "\\"int\\"",', 400, "line 1"),
        (b"\xff\xfe", 400, "not JSON"),
        (b"[" * 200_000, 400, "not JSON"),
        (b"[]", 400, "not an object"),
        (b'{"schema": {"type": "int"}}', 400, "'schema' is an object"),
        (b'{"schema": "\\"int\\"", "references": 5}', 400, "'references' is a number"),
        (b'{"schema": "\\"int\\"", "id": "x"}', 400, "'id'"),
        (b'{"schema": "\\"int\\"", "schemaTyp": "AVRO"}', 422, "schemaTyp"),
        (b'{"schema": "\\"int\\"", "references": [{"name": "x"}]}', 42201, r"references[0]"),
        (b'{"schema": "\\ud800"}', 400, "surrogates"),
        (b'{"\\ud800": "\\"int\\""}', 400, "surrogates"),
        (
            b'{"schema": "1", "references": [{"name": "x", "subject": "y", "version": true}]}',
            42201,
            "references[0]",
        ),
        (b'{"schema": "{\\"type\\": \\"double\\", \\"x\\": NaN}"}', 42201, "NaN is not a number"),
        (b'{"schema": "{\\"type\\": \\"double\\", \\"x\\": -Infinity}"}', 42201, "-Infinity is no"),
        (b'{"schema": "{\\"type\\": \\"double\\", \\"x\\": 1e999}"}', 42201, "1e999 is beyond"),
        (b'{"schema": "{\\n \\"type\\": }"}', 42201, "line 2 column 10"),
        (b'{"schema": "\\"Money\\""}', 42201, "$: "),
    ],
)
def test_an_invalid_body_is_refused_with_the_place(
    ask: Asking, subject: str, content: bytes, code: int, place: str
) -> None:
    for address in (f"/subjects/{subject}/versions", f"/subjects/{subject}"):
        response = ask.raw("POST", address, content, content_type=MEDIA_TYPE)

        assert response.json().keys() == {"error_code", "message"}
        assert response.json()["error_code"] == code
        assert response.status_code == int(str(code)[:3])
        assert place in response.json()["message"]


def test_a_body_of_another_type_is_415(ask: Asking, subject: str) -> None:
    body = json.dumps({"schema": ONE}).encode()
    address = f"/subjects/{subject}/versions"

    response = ask.raw("POST", address, body, content_type="text/plain")

    assert (response.status_code, response.json()["error_code"]) == (415, 415)
    assert MEDIA_TYPE in response.json()["message"]
    for media_type in (
        MEDIA_TYPE,
        "application/vnd.schemaregistry+json",
        "application/json; charset=utf-8",
        "application/octet-stream",
    ):
        assert ask.raw("POST", address, body, content_type=media_type).is_success


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        ("*/*", MEDIA_TYPE),
        ("application/json", "application/json"),
        ("text/html, application/json;q=0.5", "application/json"),
        (f"application/json, {MEDIA_TYPE}", MEDIA_TYPE),
        ("application/vnd.schemaregistry+json", "application/vnd.schemaregistry+json"),
        ("text/html", None),
        (f"{MEDIA_TYPE};q=0", None),
    ],
)
def test_an_answer_has_a_type_that_the_client_accepts(
    ask: Asking, accept: str, answered: str | None
) -> None:
    response = ask.raw("GET", "/subjects", b"", accept=accept)

    assert response.status_code == (200 if answered else 406)
    assert response.headers["content-type"] == (answered or MEDIA_TYPE)


@pytest.mark.parametrize("megabytes", [2, 5, 20])
def test_a_schema_of_some_megabytes_is_42209(ask: Asking, subject: str, megabytes: int) -> None:
    documented = json.loads(ONE) | {"doc": "x" * megabytes * 1_000_000}
    body = {"schema": json.dumps(documented)}

    assert ask.code("POST", f"/subjects/{subject}/versions", body) == 42209
    assert ask.code("GET", f"/subjects/{subject}/versions") == 40401


def test_a_large_schema_below_the_bound_is_kept(ask: Asking, subject: str) -> None:
    fields = [f"field_{index}:string" for index in range(5_000)]
    schema_id = ask.register(subject, record(*fields))

    status, found = ask("GET", f"/schemas/ids/{schema_id}")

    assert (status, len(json.loads(found["schema"])["fields"])) == (200, 5_000)


def test_a_verbose_check_explains_a_text_that_is_not_a_schema(ask: Asking, subject: str) -> None:
    ask.register(subject, ONE)
    address = f"/compatibility/subjects/{subject}/versions/latest"
    body = {"schema": record("a:Money")}

    assert ask.code("POST", address, body) == 42201
    status, verdict = ask("POST", f"{address}?verbose=true", body)

    assert (status, verdict["is_compatible"]) == (200, False)
    assert "$.fields[0].type" in verdict["messages"][0]


def test_a_default_that_holds_itself_is_refused_with_its_place(ask: Asking, subject: str) -> None:
    body = {"schema": record("next:Order={}")}

    status, refusal = ask("POST", f"/subjects/{subject}/versions", body)

    assert (status, refusal["error_code"]) == (422, 42201)
    assert "$.fields[0].default" in refusal["message"]


@pytest.mark.parametrize("address", ["/subjects", "/schemas", "/contexts/.a%00/subjects"])
def test_an_address_with_a_character_that_is_none_is_400(ask: Asking, address: str) -> None:
    response = ask.raw("GET", f"{address}?subjectPrefix=a%00", b"")

    assert (response.status_code, response.json()["error_code"]) == (400, 400)
    assert "address" in response.json()["message"]


@pytest.mark.parametrize("part", ["é".encode(), b"%zz", b"%", b"%f", b"%00", b"%ff", b"%c3"])
@pytest.mark.parametrize(
    "place",
    [
        b"GET /subjects/%s/versions",
        b"POST /subjects/%s/versions",
        b"DELETE /subjects/%s",
        b"GET /subjects/x/versions/%s",
        b"GET /schemas/ids/%s",
        b"PUT /config/%s",
        b"GET /mode/%s",
        b"GET /contexts/%s/subjects/x/versions",
        b"GET /%s",
    ],
)
def test_an_address_that_is_not_percent_encoded_utf8_is_refused_in_json(
    registry_url: str, place: bytes, part: bytes
) -> None:
    body = json.dumps({"schema": ONE, "compatibility": "FULL"}).encode()
    length = str(len(body)).encode()
    address = urlsplit(registry_url)
    with socket.create_connection((address.hostname or "", address.port or 0), 20) as client:
        client.sendall(
            place % part + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
            b"content-type: application/json\r\ncontent-length: " + length + b"\r\n\r\n" + body
        )
        head, _, content = client.makefile("rb").read().partition(b"\r\n\r\n")

    assert head.split()[1].startswith(b"4"), head
    assert json.loads(content).keys() == {"error_code", "message"}
