"""Schemas that take types from other subjects, and what keeps those from going away."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.registry_servers import Asking, record, unused_subject

MONEY = record("cents:long", name="Money")
MONEY_IN = record("cents:long", 'currency:string="EUR"', name="Money")
TOTAL = record("total:Money", name="Total")


@pytest.fixture
def ask(registry_url: str) -> Asking:
    return Asking(registry_url)


@pytest.fixture
def money() -> str:
    return unused_subject()


@pytest.fixture
def subject() -> str:
    return unused_subject()


def _to(subject: str, version: int = 1, name: str = "Money") -> dict[str, Any]:
    return {"name": name, "subject": subject, "version": version}


def test_a_type_is_found_through_all_references(ask: Asking, money: str, subject: str) -> None:
    # Given a type that takes a type from a third subject
    middle = unused_subject()
    ask.register(money, MONEY)
    ask.register(middle, TOTAL, references=[_to(money)])

    cart = record("sum:Total", "first:Money", name="Cart")
    ask.register(subject, cart, references=[_to(middle, name="Total")])

    found = ask("GET", f"/subjects/{subject}/versions/1")[1]
    assert found["references"] == [_to(middle, name="Total")]


def test_version_minus_one_is_the_latest_at_the_time(ask: Asking, money: str, subject: str) -> None:
    ask.register(money, MONEY)
    ask.register(money, MONEY_IN)

    ask.register(subject, TOTAL, references=[_to(money, -1)])

    assert ask("GET", f"/subjects/{subject}/versions/1")[1]["references"] == [_to(money, 2)]


def test_an_unknown_reference_is_named(ask: Asking, money: str, subject: str) -> None:
    ask.register(money, MONEY)
    address = f"/subjects/{subject}/versions"
    body = {"schema": TOTAL, "references": [_to(money), _to(money, 7, "Other")]}

    status, refusal = ask("POST", address, body)

    assert (status, refusal["error_code"]) == (422, 42201)
    assert "references[1]: there is no version 7" in refusal["message"]


def test_a_new_schema_does_not_refer_to_a_deleted_one(
    ask: Asking, money: str, subject: str
) -> None:
    ask.register(money, MONEY)
    ask("DELETE", f"/subjects/{money}")

    body = {"schema": TOTAL, "references": [_to(money)]}

    assert ask.code("POST", f"/subjects/{subject}/versions", body) == 42201


def test_another_version_of_the_type_makes_another_schema(
    ask: Asking, money: str, subject: str
) -> None:
    ask.register(money, MONEY)
    ask.register(money, MONEY_IN)
    first = ask.register(subject, TOTAL, references=[_to(money, 1)])

    second = ask.register(subject, TOTAL, references=[_to(money, 2)])

    assert first != second
    assert ask("GET", f"/subjects/{subject}/versions") == (200, [1, 2])


def test_a_change_inside_a_referenced_type_is_seen(ask: Asking, money: str, subject: str) -> None:
    ask.register(money, MONEY)
    ask("PUT", f"/config/{money}", {"compatibility": "NONE"})
    ask.register(money, record("cents:string", name="Money"))
    ask.register(subject, TOTAL, references=[_to(money, 1)])

    body = {"schema": TOTAL, "references": [_to(money, 2)]}

    assert ask.code("POST", f"/subjects/{subject}/versions", body) == 409
    checked = ask("POST", f"/compatibility/subjects/{subject}/versions", body)
    assert checked == (200, {"is_compatible": False})


def test_what_a_hidden_schema_refers_to_is_not_deleted_for_ever_42206(
    ask: Asking, money: str, subject: str
) -> None:
    ask.register(money, MONEY)
    schema_id = ask.register(subject, TOTAL, references=[_to(money)])
    address = f"/subjects/{money}/versions/1"
    assert ask("GET", f"{address}/referencedby") == (200, [schema_id])
    ask("DELETE", f"/subjects/{subject}")
    assert ask("GET", f"{address}/referencedby") == (200, [])
    assert ask("GET", f"{address}/referencedby?deleted=true") == (200, [schema_id])
    assert ask("DELETE", address) == (200, 1)

    status, refusal = ask("DELETE", f"{address}?permanent=true")

    assert (status, refusal["error_code"]) == (422, 42206)
    assert subject in refusal["message"]
    assert ask.code("DELETE", f"/subjects/{money}?permanent=true") == 42206
    ask("DELETE", f"/subjects/{subject}?permanent=true")
    assert ask("DELETE", f"{address}?permanent=true") == (200, 1)


def test_a_subject_that_refers_to_itself_goes_as_a_whole(ask: Asking, money: str) -> None:
    ask("PUT", f"/config/{money}", {"compatibility": "NONE"})
    ask.register(money, MONEY)
    ask.register(money, TOTAL, references=[_to(money)])
    assert ask.code("DELETE", f"/subjects/{money}/versions/1") == 42206

    assert ask("DELETE", f"/subjects/{money}") == (200, [1, 2])
    assert ask("DELETE", f"/subjects/{money}?permanent=true") == (200, [1, 2])


def test_a_reference_stays_in_the_context_of_its_schema(ask: Asking, money: str) -> None:
    ask.register(f":.other:{money}", MONEY)

    ask.register(f":.other:{money}-total", TOTAL, references=[_to(money)])

    body = {"schema": TOTAL, "references": [_to(money)]}
    assert ask.code("POST", f"/subjects/{money}-total/versions", body) == 42201


def _delete_for_ever(ask: Asking, *subjects: str) -> None:
    for gone in subjects:
        assert ask("DELETE", f"/subjects/{gone}")[0] == 200
        assert ask("DELETE", f"/subjects/{gone}?permanent=true")[0] == 200


def test_a_number_that_an_id_refers_to_is_not_given_to_another_schema(
    ask: Asking, money: str, subject: str
) -> None:
    # Given records with the id of a schema that was deleted forever, with what it refers to
    ask.register(money, MONEY)
    of_long = ask.register(subject, TOTAL, references=[_to(money)])
    _delete_for_ever(ask, subject, money)

    ask.register(money, record("cents:string", name="Money"))

    assert ask("GET", f"/subjects/{money}/versions") == (200, [2])
    assert ask("GET", f"/schemas/ids/{of_long}")[1]["references"] == [_to(money)]
    assert ask.code("GET", f"/subjects/{money}/versions/1?deleted=true") == 40402


def test_another_schema_under_the_same_number_gets_another_id(
    ask: Asking, money: str, subject: str
) -> None:
    ask.register(money, MONEY)
    of_long = ask.register(subject, TOTAL, references=[_to(money)])
    _delete_for_ever(ask, subject, money)
    # Given a database in which another type has the number, as one that fell back may have
    ask("PUT", f"/mode/{money}", {"mode": "IMPORT"})
    text = record("cents:string", name="Money")
    ask.register(money, text, id=ask.register(unused_subject(), text), version=1)

    of_string = ask.register(subject, TOTAL, references=[_to(money)])

    assert of_string != of_long
    assert ask.register(subject, TOTAL, references=[_to(money)]) == of_string
    assert ask("GET", f"/subjects/{subject}/versions") == (200, [1])
