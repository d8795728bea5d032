"""Every error code of the embedded registry, and the answers around it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from relay.local.registry import LocalRegistry
from relay.registry.schema import candidate_ids, compact, digest
from tests.integration.registry_servers import Asking, record, unused_subject

ONE = record("a:int")
TWO = record("a:int", "b:int=0")
BROKEN = record("a:int", "c:string")


@pytest.fixture
def ask(registry_url: str) -> Asking:
    return Asking(registry_url)


@pytest.fixture
def subject() -> str:
    return unused_subject()


@pytest.fixture
def own(database_url: str, tmp_path: Path) -> Iterator[Asking]:
    """A registry whose global settings this test may change."""
    server = LocalRegistry(tmp_path, database_url=database_url, bootstrap_servers="127.0.0.1:9")
    with server:
        yield Asking(server.url)


def test_an_unknown_subject_is_40401(ask: Asking, subject: str) -> None:
    assert ask.code("GET", f"/subjects/{subject}/versions") == 40401
    assert ask.code("GET", f"/subjects/{subject}/versions/1") == 40401
    assert ask.code("POST", f"/subjects/{subject}", {"schema": ONE}) == 40401
    assert ask.code("DELETE", f"/subjects/{subject}") == 40401
    assert ask.code("DELETE", f"/subjects/{subject}/versions/1") == 40401
    assert ask.code("DELETE", f"/config/{subject}") == 40401
    assert ask.code("DELETE", f"/mode/{subject}") == 40401


def test_an_unknown_version_is_40402(ask: Asking, subject: str) -> None:
    ask.register(subject, ONE)

    assert ask.code("GET", f"/subjects/{subject}/versions/2") == 40402
    assert ask.code("DELETE", f"/subjects/{subject}/versions/2") == 40402
    address = f"/compatibility/subjects/{subject}/versions/2"
    assert ask.code("POST", address, {"schema": ONE}) == 40402


def test_an_unknown_schema_is_40403(ask: Asking, subject: str) -> None:
    ask.register(subject, ONE)

    assert ask.code("POST", f"/subjects/{subject}", {"schema": TWO}) == 40403
    for address in ("1", "1/schema", "1/subjects", "1/versions", "0", "x", "9" * 5000):
        assert ask.code("GET", f"/schemas/ids/{address}") == 40403


def test_a_subject_is_deleted_softly_before_it_is_deleted_for_ever(
    ask: Asking, subject: str
) -> None:
    ask.register(subject, ONE)
    assert ask.code("DELETE", f"/subjects/{subject}?permanent=true") == 40405

    assert ask("DELETE", f"/subjects/{subject}") == (200, [1])
    assert ask.code("DELETE", f"/subjects/{subject}") == 40404
    assert ask.code("GET", f"/subjects/{subject}/versions") == 40401
    assert ask("GET", f"/subjects/{subject}/versions?deleted=true") == (200, [1])

    assert ask("DELETE", f"/subjects/{subject}?permanent=true") == (200, [1])
    assert ask.code("GET", f"/subjects/{subject}/versions?deleted=true") == 40401


def test_a_version_is_deleted_softly_before_it_is_deleted_for_ever(
    ask: Asking, subject: str
) -> None:
    first = ask.register(subject, ONE)
    ask.register(subject, TWO)
    address = f"/subjects/{subject}/versions/1"
    assert ask.code("DELETE", f"{address}?permanent=true") == 40407

    assert ask("DELETE", address) == (200, 1)
    assert ask.code("DELETE", address) == 40406
    assert ask.code("GET", address) == 40402
    # A schema that comes back gets a new version and its old id
    assert ask.register(subject, ONE) == first
    assert ask("GET", f"/subjects/{subject}/versions") == (200, [2, 3])
    assert ask("DELETE", f"{address}?permanent=true") == (200, 1)


def test_an_id_keeps_its_text_after_its_last_version_was_deleted_for_ever(
    ask: Asking, subject: str
) -> None:
    text = record("a:int", name=f"Gone{subject[-8:]}")
    schema_id = ask.register(subject, text)
    ask("DELETE", f"/subjects/{subject}")
    ask("DELETE", f"/subjects/{subject}?permanent=true")

    assert ask("GET", f"/schemas/ids/{schema_id}") == (200, {"schema": compact(text)})
    assert ask("GET", f"/schemas/ids/{schema_id}/versions") == (200, [])
    assert ask.register(unused_subject(), text) == schema_id


def test_a_subject_without_settings_of_its_own_is_40408_and_40409(
    ask: Asking, subject: str
) -> None:
    assert ask.code("GET", f"/config/{subject}") == 40408
    assert ask.code("GET", f"/mode/{subject}") == 40409
    general = f"/config/{subject}?defaultToGlobal=true"
    assert ask("GET", general) == (200, {"compatibilityLevel": "BACKWARD"})
    assert ask("GET", f"/mode/{subject}?defaultToGlobal=true") == (200, {"mode": "READWRITE"})


def test_an_incompatible_schema_is_409_and_changes_nothing(ask: Asking, subject: str) -> None:
    ask.register(subject, ONE)

    assert ask.code("POST", f"/subjects/{subject}/versions", {"schema": BROKEN}) == 409

    assert ask("GET", f"/subjects/{subject}/versions") == (200, [1])
    for version in ("/latest", "/1", ""):
        address = f"/compatibility/subjects/{subject}/versions{version}"
        assert ask("POST", address, {"schema": BROKEN}) == (200, {"is_compatible": False})
        status, verdict = ask("POST", f"{address}?verbose=true", {"schema": BROKEN})
        assert status == 200
        assert set(verdict) == {"is_compatible", "messages"}
        assert "version 1" in verdict["messages"][0]
        assert ask("POST", address, {"schema": TWO}) == (200, {"is_compatible": True})


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"schema": ""},
        {"schema": "{"},
        {"schema": '{"type":"nothing"}'},
        {"schema": ONE, "schemaType": "PROTOBUF"},
        {"schema": ONE, "ruleSet": {"domainRules": []}},
        {"schema": ONE, "references": [{"name": "x"}]},
        {"schema": ONE, "references": [{"name": "x", "subject": "nowhere", "version": 1}]},
        {"schema": ONE, "version": 2},
        {"schema": '{"type":"record","name":"R","doc":"\\ud800","fields":[]}'},
        {"schema": "[" * 100_000},
    ],
)
def test_a_request_without_a_valid_schema_is_42201(ask: Asking, subject: str, body: object) -> None:
    assert ask.code("POST", f"/subjects/{subject}/versions", body) == 42201
    assert ask.code("GET", f"/subjects/{subject}/versions") == 40401


def test_a_text_that_is_not_a_schema_is_42201_when_looked_up(ask: Asking, subject: str) -> None:
    ask.register(subject, ONE)

    assert ask.code("POST", f"/subjects/{subject}", {"schema": '{"type":"nothing"}'}) == 42201


@pytest.mark.parametrize("version", ["0", "-2", "x", "2147483648", "1.5"])
def test_a_version_that_is_none_is_42202(ask: Asking, subject: str, version: str) -> None:
    ask.register(subject, ONE)

    assert ask.code("GET", f"/subjects/{subject}/versions/{version}") == 42202
    assert ask.code("DELETE", f"/subjects/{subject}/versions/{version}") == 42202


def test_an_unknown_level_is_42203_and_an_unknown_mode_42204(ask: Asking, subject: str) -> None:
    assert ask.code("PUT", f"/config/{subject}", {"compatibility": "SOME"}) == 42203
    assert ask.code("PUT", f"/config/{subject}", {}) == 42203
    assert ask.code("PUT", f"/mode/{subject}", {"mode": "SOME"}) == 42204


def test_settings_that_would_be_dropped_are_42205(ask: Asking, subject: str) -> None:
    body = {"compatibility": "FULL", "normalize": True}

    assert ask.code("PUT", f"/config/{subject}", body) == 42205
    assert ask.code("GET", f"/config/{subject}") == 40408


def test_a_read_only_subject_is_42205_but_still_answers_what_it_has(
    ask: Asking, subject: str
) -> None:
    schema_id = ask.register(subject, ONE)
    ask("PUT", f"/mode/{subject}", {"mode": "READONLY"})

    assert ask.code("POST", f"/subjects/{subject}/versions", {"schema": TWO}) == 42205
    assert ask.code("DELETE", f"/subjects/{subject}") == 42205
    assert ask.code("DELETE", f"/subjects/{subject}/versions/1") == 42205
    assert ask.code("PUT", f"/config/{subject}", {"compatibility": "FULL"}) == 42205
    assert ask.register(subject, ONE) == schema_id


def test_a_referenced_version_is_not_deleted_42206(ask: Asking, subject: str) -> None:
    referring = unused_subject()
    ask.register(subject, record("cents:long", name="Money"))
    reference = {"name": "Money", "subject": subject, "version": 1}
    ask.register(referring, record("total:Money"), references=[reference])

    assert ask.code("DELETE", f"/subjects/{subject}/versions/1") == 42206
    assert ask.code("DELETE", f"/subjects/{subject}") == 42206

    ask("DELETE", f"/subjects/{referring}")
    assert ask("DELETE", f"/subjects/{subject}") == (200, [1])


def test_an_id_is_brought_along_only_while_importing_42205(ask: Asking, subject: str) -> None:
    text = record("a:int", name=f"Imported{subject[-8:]}")
    address = f"/subjects/{subject}/versions"
    assert ask.code("POST", address, {"schema": text, "id": 77}) == 42205
    assert ask("PUT", f"/mode/{subject}", {"mode": "IMPORT"}) == (200, {"mode": "IMPORT"})
    assert ask.code("POST", address, {"schema": text}) == 42205

    wanted = int(subject[-7:], 16) + 1
    assert ask.register(subject, text, id=wanted, version=5) == wanted

    assert ask("GET", f"{address}") == (200, [5])
    assert ask.code("POST", address, {"schema": record("z:int"), "id": wanted}) == 42205


def test_going_into_import_mode_over_schemas_wants_force_42205(ask: Asking, subject: str) -> None:
    ask.register(subject, ONE)

    assert ask.code("PUT", f"/mode/{subject}", {"mode": "IMPORT"}) == 42205
    assert ask("PUT", f"/mode/{subject}?force=true", {"mode": "IMPORT"})[0] == 200


def test_hidden_versions_make_room_for_what_is_imported(ask: Asking, subject: str) -> None:
    ask.register(subject, ONE)
    ask("DELETE", f"/subjects/{subject}")
    assert ask("PUT", f"/mode/{subject}", {"mode": "IMPORT"})[0] == 200
    assert ask.code("GET", f"/subjects/{subject}/versions?deleted=true") == 40401
    text = record("a:int", name=f"Imported{subject[-8:]}")

    ask.register(subject, text, id=int(subject[-7:], 16) + 1, version=1)

    assert ask("GET", f"/subjects/{subject}/versions") == (200, [1])


def test_lists_show_what_is_hidden_only_on_request(ask: Asking, subject: str) -> None:
    ask.register(subject, ONE)
    ask.register(subject, TWO)
    address = f"/subjects/{subject}/versions"
    assert ask("GET", f"{address}?deletedOnly=true") == (200, [])
    ask("DELETE", f"{address}/1")

    assert ask("GET", address) == (200, [2])
    assert ask("GET", f"{address}?deleted=true") == (200, [1, 2])
    assert ask("GET", f"{address}?deletedOnly=true") == (200, [1])
    assert ask("GET", f"{address}?deletedAsNegative=true") == (200, [-1, 2])
    assert ask("GET", f"{address}?deleted=true&offset=1&limit=1") == (200, [2])
    everything = f"/subjects?subjectPrefix={subject}"
    assert ask("GET", f"{everything}&deletedOnly=true") == (200, [])
    ask("DELETE", f"/subjects/{subject}")
    assert ask("GET", everything) == (200, [])
    assert ask("GET", f"{everything}&deletedOnly=true") == (200, [subject])


def test_one_schema_has_one_version_and_one_id_however_it_is_written(
    ask: Asking, subject: str
) -> None:
    wrapped = '{"fields":[{"type":{"type":"int"},"name":"a"}],"name":"Order","type":"record"}'
    first = ask.register(subject, ONE)

    assert ask.register(subject, wrapped) == first
    assert ask.register(unused_subject(), wrapped) == first
    assert ask("GET", f"/subjects/{subject}/versions") == (200, [1])
    assert ask("POST", f"/subjects/{subject}", {"schema": wrapped})[1]["version"] == 1


def test_a_requested_version_must_be_the_next(ask: Asking, subject: str) -> None:
    address = f"/subjects/{subject}/versions"
    ask.register(subject, ONE, version=1)

    assert ask.code("POST", address, {"schema": TWO, "version": 3}) == 42201
    assert ask.code("POST", address, {"schema": ONE, "version": 2}) == 42201
    ask.register(subject, TWO, version=2)

    assert ask("GET", address) == (200, [1, 2])


def test_global_settings_hold_where_a_subject_has_none(own: Asking, subject: str) -> None:
    own.register(subject, ONE)
    assert own("GET", "/config") == (200, {"compatibilityLevel": "BACKWARD"})
    assert own("PUT", "/config", {"compatibility": "NONE"}) == (200, {"compatibility": "NONE"})
    own.register(subject, BROKEN)
    assert own("DELETE", "/config") == (200, {"compatibilityLevel": "NONE"})
    assert own("GET", "/config") == (200, {"compatibilityLevel": "BACKWARD"})

    own("PUT", f"/mode/{subject}", {"mode": "READWRITE"})
    own("PUT", "/mode", {"mode": "READONLY_OVERRIDE"})
    assert own.code("POST", f"/subjects/{subject}/versions", {"schema": TWO}) == 42205
    assert own("DELETE", "/mode") == (200, {"mode": "READONLY_OVERRIDE"})
    assert own("GET", "/mode") == (200, {"mode": "READWRITE"})


def test_two_texts_that_hash_to_one_id_get_two_ids(
    own: Asking, database_url: str, subject: str
) -> None:
    # Given an id that another text already has
    wanted = next(candidate_ids(digest(compact(ONE))))
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "insert into registry.schemas (id, digest, text) values (%s, %s, %s)",
            (wanted, bytes(32), '"int"'),
        )

    assert own.register(subject, ONE) == wanted % (2**31 - 1) + 1
    assert own("GET", f"/schemas/ids/{wanted}") == (200, {"schema": '"int"'})


def test_contexts_keep_subjects_apart_and_ids_together(own: Asking) -> None:
    schema_id = own.register("orders", ONE)

    assert own.register(":.staging:orders", ONE) == schema_id
    own("PUT", "/config/:.staging:", {"compatibility": "NONE"})
    own.register(":.staging:orders", BROKEN)

    assert own("GET", "/contexts") == (200, [".", ".staging"])
    assert own("GET", "/subjects") == (200, [":.staging:orders", "orders"])
    assert own("GET", "/subjects?subjectPrefix=:.staging:") == (200, [":.staging:orders"])
    assert own("GET", "/contexts/.staging/subjects") == (200, [":.staging:orders"])
    assert own("GET", "/contexts/.staging/subjects/orders/versions") == (200, [1, 2])
    assert own("GET", "/subjects/orders/versions") == (200, [1])


def test_serializers_that_ask_for_associations_get_none(ask: Asking) -> None:
    assert ask("GET", "/associations/resources/-/t?resourceType=topic") == (200, [])


def test_a_subject_that_cannot_be_stored_is_refused_for_good(ask: Asking) -> None:
    for name in ("a%00b", "a%1Fb", "__GLOBAL", "", "x" * 1001):
        assert ask.code("POST", f"/subjects/{name}/versions", {"schema": ONE}) == 42208
    assert ask.code("PUT", "/config/__EMPTY", {"compatibility": "FULL"}) == 42208


def test_an_unknown_address_is_404_in_the_registrys_form(ask: Asking) -> None:
    assert ask.code("GET", "/nowhere") == 404
    assert ask.code("PUT", "/subjects") == 405


def test_a_subject_may_contain_slashes_and_spaces(ask: Asking, subject: str) -> None:
    address = f"{subject}%2Fa%20b"
    ask.register(address, ONE)

    status, found = ask("GET", f"/subjects/{address}/versions/latest")

    assert (status, found["subject"]) == (200, f"{subject}/a b")
    assert set(found) == {"subject", "version", "id", "schema"}


def test_settings_at_the_address_of_a_context_are_those_of_that_context(own: Asking) -> None:
    level, mode = {"compatibility": "NONE"}, {"mode": "READONLY"}

    assert own("PUT", "/contexts/.staging/config", level) == (200, level)
    assert own("PUT", "/contexts/.staging/mode", mode) == (200, mode)

    assert own("GET", "/config") == (200, {"compatibilityLevel": "BACKWARD"})
    assert own("GET", "/mode") == (200, {"mode": "READWRITE"})
    assert own("GET", "/config/:.staging:") == (200, {"compatibilityLevel": "NONE"})
    assert own.code("POST", "/contexts/.staging/subjects/a/versions", {"schema": ONE}) == 42205
    own.register("a", ONE)


def test_lists_at_the_address_of_a_context_have_no_subjects_of_others(own: Asking) -> None:
    schema_id = own.register("orders", ONE)
    own.register(":.staging:orders", ONE)

    def subjects(address: str) -> list[str]:
        return [one["subject"] for one in own("GET", address)[1]]

    assert subjects("/contexts/.staging/schemas") == [":.staging:orders"]
    assert subjects("/contexts/:.:/schemas?subjectPrefix=ord") == ["orders"]
    assert subjects(f"/contexts/.staging/schemas/ids/{schema_id}/versions") == [":.staging:orders"]
    assert subjects("/schemas") == [":.staging:orders", "orders"]


def test_a_subject_that_is_named_like_an_address_is_that_subject(ask: Asking, subject: str) -> None:
    ask.register(subject, ONE)

    # Looking up registers nothing, deleting a subject deletes no version of another one
    assert ask.code("POST", f"/subjects/{subject}%2Fversions", {"schema": TWO}) == 40401
    assert ask.code("DELETE", f"/subjects/{subject}%2Fversions%2F1") == 40401

    assert ask("GET", f"/subjects/{subject}/versions") == (200, [1])


def test_a_slash_at_the_end_of_an_address_changes_nothing(ask: Asking, subject: str) -> None:
    schema_id = ask.register(subject, ONE)
    level = {"compatibility": "FULL"}

    assert ask("PUT", f"/config/{subject}/", level) == (200, level)

    assert ask("GET", f"/config/{subject}") == (200, {"compatibilityLevel": "FULL"})
    assert ask("GET", f"/subjects/{subject}/versions/") == (200, [1])
    assert ask("GET", f"/schemas/ids/{schema_id}/schema/")[0] == 200
    body = {"schema": ONE}
    assert ask("POST", f"/subjects/{subject}/versions/", body) == (200, {"id": schema_id})
