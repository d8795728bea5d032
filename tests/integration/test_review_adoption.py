"""Where the review begins: what is in use is taken over once, what comes later is decided about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import yaml
from psycopg.errors import ObjectNotInPrerequisiteState

from relay.schema.approvals import store
from relay.schema.approvals.adopt import adopt_catalog, adopt_event_type
from relay.schema.approvals.store import has_begun
from relay.schema.approvals.versions_in_force import (
    NotApproved,
    find_problems,
    versions_in_force,
)
from relay.schema.catalog import Catalog, State
from tests.integration.reviewing import Connection
from tests.relaying import SCHEMA_FIELDS, add_event_type, create_domain
from tests.stack import until


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A catalog with the active event type `counted`."""
    create_domain(tmp_path, "shop", 4)
    add_event_type(tmp_path, "shop", "counted", SCHEMA_FIELDS)
    return tmp_path


def list_as(folder: Path, event_type: str, versions: dict[int, str]) -> Catalog:
    """Lists versions of an event type, each with a text of its own, in these states."""
    file = folder / "shop" / "domain.yaml"
    content = yaml.safe_load(file.read_text())
    content["events"].setdefault(event_type, {"aggregate": "counter"})["versions"] = versions
    file.write_text(yaml.safe_dump(content))
    first = (folder / "shop" / "counted.v1.avsc").read_text()
    name = event_type.title().replace("_", "")
    for number in versions:
        text = first.replace("Counted", name).replace("free text", f"free text {number}")
        (folder / "shop" / f"{event_type}.v{number}.avsc").write_text(text)
    return Catalog.load(folder)


def known(connection: Connection, event_type: str) -> dict[int, str]:
    return {d.version: d.state.value for d in store.decisions(connection, event_type)}


def test_the_review_begins_with_what_the_catalog_lists_as_in_use(
    connection: Connection, folder: Path
) -> None:
    list_as(folder, "noted", {1: "retired", 2: "deprecated", 3: "active", 4: "proposed"})
    catalog = list_as(folder, "planned", {1: "approved"})
    assert not has_begun(connection)
    assert adopt_catalog(connection, catalog, "relay migrate") == 4
    assert has_begun(connection)
    assert known(connection, "counted") == {1: "active"}
    assert known(connection, "noted") == {1: "retired", 2: "deprecated", 3: "active"}
    assert known(connection, "planned") == {}
    (line, *_) = store.history(connection, "noted")
    assert (line.action, line.actor, line.from_state) == ("adopt", "relay migrate", None)


def test_the_catalog_is_not_adopted_once_any_decision_exists(
    connection: Connection, folder: Path
) -> None:
    adopt_catalog(connection, Catalog.load(folder), "relay migrate")
    list_as(folder, "counted", {1: "deprecated", 2: "active"})
    catalog = list_as(folder, "noted", {1: "active"})
    assert adopt_catalog(connection, catalog, "relay migrate") == 0
    assert known(connection, "counted") == {1: "active"}
    assert known(connection, "noted") == {}


def test_a_person_adopts_an_event_type_with_a_reason_that_stays_on_record(
    connection: Connection, folder: Path
) -> None:
    adopt_catalog(connection, Catalog.load(folder), "relay migrate")
    noted = list_as(folder, "noted", {1: "deprecated", 2: "active"}).event_type("noted")
    assert adopt_event_type(connection, noted, "anna", "came with the old shop") == 2
    assert known(connection, "noted") == {1: "deprecated", 2: "active"}
    lines = [(e.version, e.action, e.actor, e.reason) for e in store.history(connection, "noted")]
    why = "came with the old shop"
    assert lines == [(1, "adopt", "anna", why), (2, "adopt", "anna", why)]
    assert all(decision.adopted for decision in store.decisions(connection, "noted"))


def test_an_event_type_that_somebody_decided_about_is_not_adopted(
    connection: Connection, folder: Path
) -> None:
    adopt_catalog(connection, Catalog.load(folder), "relay migrate")
    catalog = list_as(folder, "noted", {1: "active", 2: "active"} | {2: "proposed"})
    store.propose(connection, catalog.version("noted", 2), "anna", None)
    assert adopt_event_type(connection, catalog.event_type("noted"), "ben", "mine") == 0
    assert known(connection, "noted") == {2: "proposed"}


def test_of_two_that_begin_the_review_at_once_one_does(
    database_url: str, connection: Connection, folder: Path
) -> None:
    ours = Catalog.load(folder)
    theirs = list_as(folder, "noted", {1: "active"})
    with (
        psycopg.connect(database_url, autocommit=True) as one,
        psycopg.connect(database_url, autocommit=True) as two,
        ThreadPoolExecutor(1) as pool,
    ):
        with one.transaction():
            assert adopt_catalog(one, ours, "one") == 1
            second = pool.submit(adopt_catalog, two, theirs, "two")
            waits = "select cardinality(pg_blocking_pids(%s)) > 0"
            until(
                lambda: connection.execute(waits, [two.info.backend_pid]).fetchone() == (True,),
                what="the second waits for the first",
            )
        assert second.result(30) == 0
    assert known(connection, "noted") == {}


def without(catalog: Catalog, *names: str) -> Catalog:
    """The catalog as an older schemas folder would have it."""
    return Catalog(
        catalog.folder,
        {
            name: replace(
                domain,
                event_types={n: e for n, e in domain.event_types.items() if n not in names},
            )
            for name, domain in catalog.domains.items()
        },
    )


def test_what_is_listed_as_in_use_and_is_not_is_named_with_what_to_do(
    connection: Connection, folder: Path
) -> None:
    catalog = list_as(folder, "noted", {1: "active"})
    assert find_problems(connection, catalog) == []
    adopt_catalog(connection, catalog, "relay migrate")
    assert find_problems(connection, catalog) == []

    list_as(folder, "noted", {1: "deprecated", 2: "active"})
    list_as(folder, "planned", {1: "proposed"})
    catalog = list_as(folder, "gifted", {1: "active"})
    store.propose(connection, catalog.version("noted", 2), "anna", None)
    first, second = sorted(find_problems(connection, catalog))
    assert first.startswith("nobody has decided about event type 'gifted'")
    assert "relay schemas propose" in first
    assert "relay schemas adopt" in first
    assert second.startswith("noted version 2 is proposed in the database, so it is not published")
    assert "relay schemas approve" in second


def test_what_is_in_use_and_not_in_the_catalog_is_named_with_what_to_do(
    connection: Connection, folder: Path
) -> None:
    list_as(folder, "noted", {1: "active"})
    list_as(folder, "shipped", {1: "deprecated"})
    catalog = list_as(folder, "gifted", {1: "retired"})
    adopt_catalog(connection, catalog, "relay migrate")
    (problem,) = find_problems(connection, without(catalog, "shipped", "gifted"))
    assert problem.startswith(f"shipped is in use, and the catalog {folder} lacks it")
    assert "relay schemas retire" in problem


def test_an_aggregate_that_the_database_knows_under_another_name_is_named_with_what_to_do(
    connection: Connection, folder: Path
) -> None:
    catalog = list_as(folder, "noted", {1: "active"})
    adopt_catalog(connection, catalog, "relay migrate")
    connection.execute(
        "update outbox.schema_versions set aggregate_type = 'former' where event_type = 'noted'"
    )
    (problem,) = find_problems(connection, catalog)
    aggregate = catalog.event_type("noted").aggregate
    assert f"aggregate type {aggregate} in the catalog and former in the database" in problem
    assert "propose a new version" in problem


@pytest.mark.parametrize(
    ("old", "new", "refused"),
    [("free text", "any text", False), ('"scale": 2', '"scale": 3', True), ("note", "notes", True)],
)
def test_a_file_that_publishers_can_t_go_by_is_named(
    connection: Connection, folder: Path, old: str, new: str, refused: bool
) -> None:
    amount = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
    fields = [*SCHEMA_FIELDS, {"name": "amount", "type": amount}]
    add_event_type(folder, "shop", "counted", fields)
    adopt_catalog(connection, Catalog.load(folder), "relay migrate")
    file = folder / "shop" / "counted.v1.avsc"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    found = find_problems(connection, Catalog.load(folder))
    assert len(found) == refused
    assert all(re.match(r"counted version 1 .* than .* was approved", each) for each in found)


def test_the_catalog_counts_until_the_review_begins_and_then_the_decisions_do(
    connection: Connection, folder: Path
) -> None:
    noted = list_as(folder, "noted", {1: "approved", 2: "active"}).event_type("noted")
    before = versions_in_force(connection, noted)
    assert (before.reviewed, [v.version for v in before.versions]) == (False, [1, 2])
    adopt_catalog(connection, Catalog.load(folder), "relay migrate")
    after = versions_in_force(connection, noted)
    assert (after.reviewed, [v.state for v in after.versions]) == (True, [State.ACTIVE])


def test_nothing_of_an_event_type_is_in_force_when_nobody_decided_about_it(
    connection: Connection, folder: Path
) -> None:
    adopt_catalog(connection, Catalog.load(folder), "relay migrate")
    noted = list_as(folder, "noted", {1: "active"}).event_type("noted")
    with pytest.raises(NotApproved, match=r"nobody has decided about event type 'noted'"):
        versions_in_force(connection, noted).to_publish(1, None)


def test_sql_refuses_an_event_type_that_nobody_decided_about_once_the_review_has_begun(
    connection: Connection, folder: Path
) -> None:
    publish = "select outbox.publish('noted', 'counter', 'a', '{}')"
    connection.execute(publish)
    adopt_catalog(connection, Catalog.load(folder), "relay migrate")
    with pytest.raises(ObjectNotInPrerequisiteState, match="nobody has decided") as refused:
        connection.execute(publish)
    assert "relay schemas adopt" in (refused.value.diag.message_hint or "")
    assert connection.execute("select count(*) from outbox.domain_events").fetchone() == (1,)
