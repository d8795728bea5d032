"""Schemas that another registry let pass are compared with, found and followed, whatever they are.

So does Confluent's: a schema that comes with its id, one that is looked up and one that a new one
is compared with are parsed without a look at their defaults.
Source: Confluent Schema Registry, `AvroSchemaProvider.parseSchemaOrElseThrow` and the places that
call it with `validateAsNew`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.registry_servers import Asking, record, unused_subject


@pytest.fixture
def ask(registry_url: str) -> Asking:
    return Asking(registry_url)


@pytest.fixture
def subject() -> str:
    return unused_subject()


def imported(ask: Asking, subject: str, text: str, version: int = 1) -> int:
    """Puts a text under a subject as a copy of another registry would be; its id."""
    assert ask("PUT", f"/mode/{subject}?force=true", {"mode": "IMPORT"})[0] == 200
    wanted = int(subject[-7:], 16) + version
    assert ask.register(subject, text, id=wanted, version=version) == wanted
    assert ask("PUT", f"/mode/{subject}", {"mode": "READWRITE"})[0] == 200
    return wanted


def own(subject: str) -> str:
    """A name of a record that no other test uses, so that its id is free."""
    return f"Imported{subject[-8:]}"


NO_VALUES = ['a:int="x"', "a:int=1.5", "a:long=null", 'a:double="1.5"']


@pytest.mark.parametrize("field", NO_VALUES)
@pytest.mark.parametrize("level", ["BACKWARD", "FULL_TRANSITIVE"])
def test_a_version_with_an_invalid_default_is_compared_with_and_followed(
    ask: Asking, subject: str, field: str, level: str
) -> None:
    name = own(subject)
    imported(ask, subject, record(field, name=name))
    ask("PUT", f"/config/{subject}", {"compatibility": level})
    kind = field.partition("=")[0]
    follows = {"schema": record(kind, "b:int=0", name=name)}
    broken = {"schema": record("a:boolean", name=name)}

    for address in ("/latest", "/1", ""):
        check = f"/compatibility/subjects/{subject}/versions{address}?verbose=true"
        status, verdict = ask("POST", check, follows)
        assert (status, verdict["is_compatible"], verdict["messages"]) == (200, True, [])
        status, verdict = ask("POST", check, broken)
        assert (status, verdict["is_compatible"]) == (200, False)
        assert "version 1" in verdict["messages"][0]
    assert ask.code("POST", f"/subjects/{subject}/versions", broken) == 409
    ask.register(subject, follows["schema"])
    assert ask("GET", f"/subjects/{subject}/versions") == (200, [1, 2])
    ask.register(subject, record(kind, "b:int=0", "c:int=0", name=name))
    assert ask("GET", f"/subjects/{subject}/versions") == (200, [1, 2, 3])


def test_a_registered_version_is_found_and_keeps_its_number_even_if_invalid(
    ask: Asking, subject: str
) -> None:
    text = record('a:int="x"', name=own(subject))
    schema_id = imported(ask, subject, text)

    status, found = ask("POST", f"/subjects/{subject}", {"schema": text})

    assert (status, found["version"], found["id"]) == (200, 1, schema_id)
    assert ask.register(subject, text) == schema_id
    assert ask("GET", f"/subjects/{subject}/versions") == (200, [1])


def test_an_invalid_schema_of_one_subject_is_refused_as_new_under_another(
    ask: Asking, subject: str
) -> None:
    text = record('a:int="x"', name=own(subject))
    imported(ask, subject, text)
    other = unused_subject()

    status, refused = ask("POST", f"/subjects/{other}/versions", {"schema": text})

    assert (status, refused["error_code"]) == (422, 42201)
    assert "$.fields[0].default" in refused["message"]
    assert ask.code("POST", f"/subjects/{other}", {"schema": text}) == 40401


def test_a_text_with_an_invalid_default_is_looked_up_and_not_found(
    ask: Asking, subject: str
) -> None:
    ask.register(subject, record("a:int"))

    assert ask.code("POST", f"/subjects/{subject}", {"schema": record('a:int="x"')}) == 40403


def test_a_new_schema_may_use_a_type_with_an_invalid_default(ask: Asking, subject: str) -> None:
    name, referring = own(subject), unused_subject()
    imported(ask, subject, record('cents:long="x"', name=name))
    reference = {"name": name, "subject": subject, "version": 1}

    ask.register(referring, record(f"total:{name}", name="Total"), references=[reference])
    ask.register(
        referring, record(f"total:{name}", "b:int=0", name="Total"), references=[reference]
    )

    filled = record(f"total:{name}={{}}", name="Total")
    body = {"schema": filled, "references": [reference]}
    status, refused = ask("POST", f"/subjects/{referring}/versions", body)
    assert (status, refused["error_code"]) == (422, 42201)
    assert "$.fields[0].default" in refused["message"]


@pytest.mark.parametrize(
    "more",
    [
        {"namespace": "my-shop.orders"},
        {"aliases": ["a-b"]},
    ],
)
def test_names_that_no_new_schema_may_have_are_taken_while_importing(
    ask: Asking, subject: str, more: dict[str, Any]
) -> None:
    schema = json.loads(record("a:int", name=own(subject)))
    schema |= {**more, "doc": subject}
    text = json.dumps(schema, ensure_ascii=False)
    assert ask.code("POST", f"/subjects/{subject}/versions", {"schema": text}) == 42201

    schema_id = imported(ask, subject, text)

    assert ask("POST", f"/subjects/{subject}", {"schema": text})[1]["id"] == schema_id
    follows = record("b:int=0", name=schema["name"])
    address = f"/compatibility/subjects/{subject}/versions/latest?verbose=true"
    status, verdict = ask("POST", address, {"schema": follows})
    assert status == 200
    assert verdict["is_compatible"] is True
