"""Which rows the relay sends under what was decided about their version."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from relay.errors import SchemaUnknown
from relay.kafka.topics import TopicState
from relay.publish.message import NotPublishable, Route, Waiting
from relay.publish.routes import Routes
from relay.schema.approvals.store import KnownVersion
from relay.schema.approvals.versions_in_force import VersionsInForce, in_catalog
from relay.schema.avro.fingerprint import rabin
from relay.schema.catalog import Catalog, EventType, State

NAME = "relay.events.shop.CartFilled"
SUBJECT = f"events.shop-{NAME}"
IDS = {1: 101, 2: 102, 3: 103}


def avsc(number: int) -> dict[str, Any]:
    return {
        "type": "record",
        "name": "CartFilled",
        "namespace": "relay.events.shop",
        "fields": [{"name": f"v{number}", "type": "int"}],
    }


MAJOR = {**avsc(1), "name": "CartFilledV2"}


class Registry:
    """Has the versions of IDS, and cart.filled.v2."""

    def id_of(self, subject: str, _: str, fingerprint: bytes) -> int:
        return self.id_of_fingerprint(subject, fingerprint)

    def id_of_fingerprint(self, subject: str, fingerprint: bytes) -> int:
        if (subject, fingerprint) == (f"{SUBJECT}V2", rabin(MAJOR)):
            return 201
        found = next((IDS[n] for n in IDS if rabin(avsc(n)) == fingerprint), None)
        if subject != SUBJECT or found is None:
            raise SchemaUnknown("not registered")
        return found


def decided(states: dict[int, State], subject: str = SUBJECT) -> list[KnownVersion]:
    return [
        KnownVersion(
            event_type="cart.filled",
            version=number,
            subject=subject,
            fingerprint=rabin(avsc(number)),
            logical_digest=bytes(32),
            state=state,
            text=json.dumps(avsc(number)),
        )
        for number, state in states.items()
    ]


@pytest.fixture
def decisions() -> list[KnownVersion]:
    """What is decided; a test puts it in."""
    return []


@pytest.fixture
def catalog_folder(tmp_path: Path) -> Path:
    """A catalog that has version 1 alone, active."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "cart.filled.v1.avsc").write_text(json.dumps(avsc(1)))
    (tmp_path / "shop" / "domain.yaml").write_text(
        "domain: shop\nowner: Shop\nevents:\n  cart.filled:\n    aggregate: cart\n"
        "    versions: {1: active}\n"
    )
    return tmp_path


@pytest.fixture
def routes(catalog_folder: Path, decisions: list[KnownVersion]) -> Routes:
    """Routes over that catalog."""

    def ask(event_type: str) -> Sequence[KnownVersion] | None:
        assert event_type == "cart.filled"
        return decisions or None

    return routes_of(catalog_folder, ask)


def routes_of(
    folder: Path,
    ask: Callable[[str], Sequence[KnownVersion] | None],
    in_use: Callable[[], frozenset[str]] = frozenset,
    registry: Any = None,
) -> Routes:
    """ask: the decisions about an event type; None before the review has begun."""

    def versions_in_force(event_type: EventType) -> VersionsInForce:
        known = ask(event_type.name)
        if known is None:
            return in_catalog(event_type)
        return VersionsInForce(event_type.name, known)

    return Routes(
        lambda: Catalog.load(folder),
        registry or cast(Any, Registry()),
        lambda: {"events.shop": TopicState(4, 1_000_000, "delete")},
        versions_in_force,
        in_use,
    )


def add_major(catalog: Path, state: State = State.ACTIVE) -> None:
    """Adds cart.filled.v2 to the catalog."""
    folder = catalog / "shop"
    with (folder / "domain.yaml").open("a") as file:
        file.write(
            "  cart.filled.v2:\n    replaces: cart.filled\n    aggregate: cart\n"
            f"    versions: {{1: {state}}}\n"
        )
    (folder / "cart.filled.v2.v1.avsc").write_text(json.dumps(MAJOR))
    (folder / "cart_filled_v2.py").write_text(
        "def up(payload):\n    return payload\n\n\ndef down(payload):\n    return payload\n"
    )


def decided_major(state: State) -> KnownVersion:
    """A decision about cart.filled.v2."""
    (decision,) = decided({1: state}, f"{SUBJECT}V2")
    fingerprint, text = rabin(MAJOR), json.dumps(MAJOR)
    return replace(decision, event_type="cart.filled.v2", fingerprint=fingerprint, text=text)


def decided_both(event_type: str) -> Sequence[KnownVersion]:
    """Version 1 of either event type is active."""
    if event_type == "cart.filled.v2":
        return [decided_major(State.ACTIVE)]
    return decided({1: State.ACTIVE})


def schema_id(route: Route) -> int:
    return int.from_bytes(route.frame[1:], "big")


def test_without_any_decision_the_catalog_counts(routes: Routes) -> None:
    assert schema_id(routes("cart.filled", None, None)) == IDS[1]
    assert schema_id(routes("cart.filled", 1, rabin(avsc(1)))) == IDS[1]


def test_rows_of_an_event_type_that_nobody_decided_about_wait_and_lose_no_attempt(
    catalog_folder: Path,
) -> None:
    routes = routes_of(catalog_folder, lambda _: ())
    for fingerprint in (None, rabin(avsc(1))):
        with pytest.raises(Waiting, match="nobody has decided"):
            routes("cart.filled", 1, fingerprint)


def test_another_major_version_that_nobody_decided_about_gets_no_copies(
    catalog_folder: Path,
) -> None:
    add_major(catalog_folder)

    def ask(event_type: str) -> Sequence[KnownVersion]:
        if event_type == "cart.filled.v2":
            return ()
        return decided({1: State.ACTIVE})

    assert routes_of(catalog_folder, ask)("cart.filled", 1, None).copies == ()


def test_a_row_under_a_major_version_that_this_catalog_has_as_proposed_gets_its_copies(
    catalog_folder: Path,
) -> None:
    # Given a worker that was started before the version was activated
    add_major(catalog_folder, State.PROPOSED)

    (copy,) = routes_of(catalog_folder, decided_both)("cart.filled.v2", 1, None).copies
    assert (copy.number, copy.event_type) == (1, "cart.filled")
    assert copy.convert(b"\x02") == b"\x02"


def test_a_catalog_that_is_read_again_gives_copies_to_event_types_that_are_known_already(
    catalog_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a worker that knows the route of an event type without a second major version
    now = [time.monotonic()]
    monkeypatch.setattr("relay.publish.routes.time.monotonic", lambda: now[0])
    routes = routes_of(catalog_folder, decided_both)
    assert routes("cart.filled", 1, None).copies == ()
    # When it reads the catalog again, because a row is of that version
    add_major(catalog_folder)
    now[0] += 2
    assert [copy.number for copy in routes("cart.filled.v2", 1, None).copies] == [1]
    # Then rows of both have their copies
    assert [copy.number for copy in routes("cart.filled", 1, None).copies] == [2]


def test_events_wait_for_a_major_version_in_use_that_the_catalog_lacks(
    catalog_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a running worker whose schemas folder has one major version
    in_use = {"cart.filled"}

    now = [time.monotonic()]
    monkeypatch.setattr("relay.publish.routes.time.monotonic", lambda: now[0])
    routes = routes_of(catalog_folder, decided_both, lambda: frozenset(in_use))
    assert routes("cart.filled", 1, None).copies == ()
    # When the next one is activated, beside that of another event
    in_use |= {"cart.filled.v2", "cart.filled_again.v2"}
    now[0] += 6
    # Then events wait, since its readers would never get them
    with pytest.raises(
        Waiting, match=r"^cart\.filled\.v2 is in use.* lacks it.*Release"
    ) as waiting:
        routes("cart.filled", 1, None)
    assert str(catalog_folder) in str(waiting.value)
    # until the folder has it
    add_major(catalog_folder)
    now[0] += 2
    assert [copy.number for copy in routes("cart.filled", 1, None).copies] == [2]


def test_events_wait_for_an_older_major_version_in_use_that_left_the_catalog(
    catalog_folder: Path,
) -> None:
    routes = routes_of(
        catalog_folder, lambda _: decided({1: State.ACTIVE}), lambda: frozenset({"cart"})
    )
    assert routes("cart.filled", 1, None).copies == ()
    add_major(catalog_folder)
    file = catalog_folder / "shop" / "domain.yaml"
    head, _, tail = file.read_text().partition("  cart.filled:\n")
    replacing = "  cart.filled.v2:\n    replaces: cart.filled\n"
    file.write_text(head + tail[tail.index(replacing) :].replace(replacing, "  cart.filled.v2:\n"))
    (catalog_folder / "shop" / "cart.filled.v1.avsc").unlink()
    routes = routes_of(
        catalog_folder, lambda _: [decided_major(State.ACTIVE)], lambda: frozenset({"cart.filled"})
    )
    with pytest.raises(Waiting, match=r"^cart\.filled is in use"):
        routes("cart.filled.v2", 1, None)


def test_rows_of_an_event_type_in_use_that_the_catalog_lacks_lose_no_attempt(
    catalog_folder: Path,
) -> None:
    routes = routes_of(
        catalog_folder, lambda _: decided({1: State.ACTIVE}), lambda: frozenset({"cart.emptied"})
    )
    with pytest.raises(Waiting, match=r"^cart\.emptied is in use"):
        routes("cart.emptied", 1, None)
    with pytest.raises(NotPublishable, match=r"'cart\.lost' is not in the catalog"):
        routes("cart.lost", 1, None)


class RegistryOfTexts:
    """Gives every text an id of its own."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def id_of(self, _: str, text: str, __: bytes) -> int:
        self.texts.append(text)
        return len(self.texts)


def test_bytes_of_versions_that_share_a_fingerprint_go_by_their_number_before_the_review(
    catalog_folder: Path,
) -> None:
    # Given a version 2 that differs by a logical type alone
    folder = catalog_folder / "shop"
    second = avsc(1)
    second["fields"][0]["type"] = {"type": "int", "logicalType": "date"}
    (folder / "cart.filled.v2.avsc").write_text(json.dumps(second))
    file = folder / "domain.yaml"
    file.write_text(file.read_text().replace("{1: active}", "{1: deprecated, 2: active}"))
    registry = RegistryOfTexts()
    routes = routes_of(catalog_folder, lambda _: None, registry=registry)
    for number in (2, 1):
        routes("cart.filled", number, rabin(second))
    assert [json.loads(text) for text in registry.texts] == [second, avsc(1)]


def test_bytes_go_by_their_schema_and_not_by_the_number_that_their_publisher_gave_it(
    routes: Routes, decisions: list[KnownVersion]
) -> None:
    # Given two versions in use
    decisions += decided({1: State.ACTIVE, 2: State.DEPRECATED})
    # When a row says version 1, and its bytes are those of version 2
    route = routes("cart.filled", 1, rabin(avsc(2)))
    # Then it goes out under the id of its bytes
    assert schema_id(route) == IDS[2]


def test_bytes_of_a_version_not_in_use_wait_also_where_one_in_use_has_their_fingerprint(
    routes: Routes, decisions: list[KnownVersion]
) -> None:
    # 12.500 of a proposed version would be 125.00 under the active one.
    active, proposed = decided({1: State.ACTIVE, 2: State.PROPOSED})
    decisions += [active, replace(proposed, fingerprint=active.fingerprint, text=active.text)]
    assert schema_id(routes("cart.filled", 1, active.fingerprint)) == IDS[1]
    with pytest.raises(Waiting, match=r"version 2 is proposed"):
        routes("cart.filled", 2, active.fingerprint)


def test_a_row_without_version_goes_out_under_the_version_that_is_decided_to_be_active(
    routes: Routes, decisions: list[KnownVersion]
) -> None:
    decisions += decided({1: State.DEPRECATED, 2: State.ACTIVE, 3: State.APPROVED})
    route = routes("cart.filled", None, None)
    assert schema_id(route) == IDS[2]
    assert route.encode is not None
    assert route.encode('{"v2": 1}') == b"\x02"


def test_a_row_without_version_goes_out_under_the_newest_of_the_active_versions_of_two_subjects(
    routes: Routes, decisions: list[KnownVersion]
) -> None:
    # Given an event type that moved to another domain with its version 2
    decisions += decided({1: State.ACTIVE}, "events.cart-relay.events.cart.CartFilled")
    decisions += decided({2: State.ACTIVE})
    assert schema_id(routes("cart.filled", None, None)) == IDS[2]


def test_a_row_keeps_its_own_version_when_that_is_deprecated_or_retired(
    routes: Routes, decisions: list[KnownVersion]
) -> None:
    decisions += decided({1: State.RETIRED, 2: State.DEPRECATED, 3: State.ACTIVE})
    for number in (1, 2, 3):
        assert schema_id(routes("cart.filled", number, None)) == IDS[number]
        assert schema_id(routes("cart.filled", number, rabin(avsc(number)))) == IDS[number]


@pytest.mark.parametrize("with_bytes", [False, True])
def test_a_row_under_a_version_that_was_withdrawn_waits_and_loses_no_attempt(
    routes: Routes, decisions: list[KnownVersion], with_bytes: bool
) -> None:
    active, withdrawn = decided({1: State.ACTIVE, 2: State.RETIRED})
    decisions += [active, replace(withdrawn, withdrawn=True)]
    with pytest.raises(Waiting, match=r"version 2 was withdrawn"):
        routes("cart.filled", 2, rabin(avsc(2)) if with_bytes else None)


@pytest.mark.parametrize("state", [State.PROPOSED, State.APPROVED])
@pytest.mark.parametrize("with_bytes", [False, True])
def test_a_row_under_a_version_that_is_not_active_yet_waits_and_loses_no_attempt(
    routes: Routes, decisions: list[KnownVersion], state: State, with_bytes: bool
) -> None:
    decisions += decided({1: State.ACTIVE, 2: state})
    with pytest.raises(Waiting, match=f"version 2 is {state}.*relay schemas"):
        routes("cart.filled", 2, rabin(avsc(2)) if with_bytes else None)


def test_a_row_without_version_waits_while_none_is_active(
    routes: Routes, decisions: list[KnownVersion]
) -> None:
    decisions += decided({1: State.RETIRED, 2: State.APPROVED})
    with pytest.raises(Waiting, match="no active schema version"):
        routes("cart.filled", None, None)


def test_a_row_under_a_version_of_the_catalog_that_nobody_proposed_waits(
    routes: Routes, decisions: list[KnownVersion]
) -> None:
    decisions += decided({2: State.ACTIVE})
    with pytest.raises(Waiting, match=r"version 1 is not known"):
        routes("cart.filled", 1, None)


def test_a_version_that_neither_catalog_nor_database_knows_is_an_attempt(
    routes: Routes, decisions: list[KnownVersion]
) -> None:
    decisions += decided({1: State.ACTIVE})
    with pytest.raises(NotPublishable, match="no schema version 9"):
        routes("cart.filled", 9, None)


def test_bytes_of_a_schema_that_nobody_decided_about_wait_also_where_the_registry_has_it(
    routes: Routes, decisions: list[KnownVersion]
) -> None:
    fingerprint = rabin(avsc(3))
    assert schema_id(routes("cart.filled", 1, fingerprint)) == IDS[3]
    decisions += decided({1: State.ACTIVE})
    with pytest.raises(Waiting, match=rf"nobody has decided .* is {fingerprint.hex()}.*propose"):
        routes("cart.filled", 3, fingerprint)


def test_another_version_that_becomes_active_is_taken_up_by_a_running_relay(
    routes: Routes, decisions: list[KnownVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    decisions += decided({1: State.ACTIVE})
    now = [1000.0]
    monkeypatch.setattr("relay.publish.routes.time.monotonic", lambda: now[0])
    assert schema_id(routes("cart.filled", None, None)) == IDS[1]
    decisions[:] = decided({1: State.DEPRECATED, 2: State.ACTIVE})
    assert schema_id(routes("cart.filled", None, None)) == IDS[1]
    now[0] += 6
    assert schema_id(routes("cart.filled", None, None)) == IDS[2]
