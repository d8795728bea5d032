"""What a reviewer reads over HTTP when a schema may not follow."""

from __future__ import annotations

import json

import pytest

from tests.integration.registry_servers import Asking, record, unused_subject

MESSAGE = (
    "the new schema can't read version 1: READER_FIELD_MISSING_DEFAULT_VALUE at $.fields[1] (c): "
    "a field of the reader that the writer does not have needs a default. "
    "The new schema has field c of string, without default; "
    "version 1 has record Order with the fields a, b. "
    "Give c a default, or the alias b if that is its former name."
)


@pytest.fixture
def ask(registry_url: str) -> Asking:
    return Asking(registry_url)


@pytest.fixture
def subject() -> str:
    return unused_subject()


def test_the_message_has_the_place_the_reason_and_the_fix(ask: Asking, subject: str) -> None:
    ask.register(subject, record("a:int", "b:string"))
    renamed = {"schema": record("a:int", "c:string")}

    address = f"/compatibility/subjects/{subject}/versions/latest?verbose=true"
    assert ask("POST", address, renamed) == (200, {"is_compatible": False, "messages": [MESSAGE]})
    status, refused = ask("POST", f"/subjects/{subject}/versions", renamed)
    assert status == 409
    assert MESSAGE in refused["message"]


def test_what_the_message_proposes_is_accepted(ask: Asking, subject: str) -> None:
    ask.register(subject, record("a:int", "b:string"))
    schema = json.loads(record("a:int", "c:string"))
    schema["fields"][1]["aliases"] = ["b"]

    ask.register(subject, json.dumps(schema))


def test_a_default_that_does_not_fit_is_42201_with_its_place(ask: Asking, subject: str) -> None:
    wrong = {"schema": record('a:int="x"')}

    status, refused = ask("POST", f"/subjects/{subject}/versions", wrong)

    assert (status, refused["error_code"]) == (422, 42201)
    assert '$.fields[0].default: the default of Order.a is "x"' in refused["message"]
