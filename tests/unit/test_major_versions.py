"""Major versions of an event: what the catalog takes, how they are converted, who gets which."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml

from relay.consume.majors import Majors
from relay.consume.record import Record
from relay.errors import CatalogInvalid, PayloadInvalid, SchemaUnknown
from relay.schema.catalog import Catalog, State
from relay.schema.catalog.entries import major_of
from relay.schema.checks.conversion import Converted, check_converter
from relay.schema.codegen.generate import generate, stale
from relay.schema.export.markdown import catalog_page
from relay.schema.export.wire import headers_schema
from relay.schema.majors.converters import conversion
from tests.unit.programs import run_beside

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "breaking-changes.md").read_text()
PAID = {
    "paymentId": "p", "customerId": "c", "provider": "STRIPE", "method": "CARD",
    "amount": "12.50", "currency": "EUR", "feeAmount": None, "paidAt": "2026-11-02T09:30:00Z",
    "providerReference": None, "attempt": 1,
}  # fmt: skip


def guide(language: str) -> str:
    """A file of the guide."""
    (text,) = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.M | re.S)
    return str(text)


@pytest.fixture
def schemas(tmp_path: Path) -> Path:
    """The shipped catalog, with order.paid.v2 as the guide has it."""
    folder = copytree(ROOT / "schemas", tmp_path / "events_of_shop")
    edit(folder, lambda events: events.update(yaml.safe_load(guide("yaml"))))
    (folder / "orders" / "order.paid.v2.v1.avsc").write_text(guide("avsc"))
    (folder / "orders" / "order_paid_v2.py").write_text(guide("python"))
    return folder


def edit(schemas: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    file = schemas / "orders" / "domain.yaml"
    content = yaml.safe_load(file.read_text())
    change(content["events"])
    file.write_text(yaml.safe_dump(content))


def convert_with(schemas: Path, old: str, new: str) -> None:
    """Changes the converter."""
    file = schemas / "orders" / "order_paid_v2.py"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def checked(schemas: Path) -> Converted:
    catalog = Catalog.load(schemas)
    return check_converter(catalog, catalog.event_type("order.paid.v2"))


def test_a_family_has_all_major_versions_whichever_is_asked_for(schemas: Path) -> None:
    catalog = Catalog.load(schemas)
    for name in ("order.paid", "order.paid.v2"):
        assert [e.name for e in catalog.family(name)] == ["order.paid", "order.paid.v2"]
    assert [e.major for e in catalog.family("order.paid")] == [1, 2]
    assert [e.name for e in catalog.family("order.created")] == ["order.created"]
    with pytest.raises(SchemaUnknown):
        catalog.family("order.unheard_of")
    assert [major_of(name) for name in ("a.b", "a.v2", "a.v10", "a.v0", "a.v2.b", "v2")] == [
        1, 2, 10, 1, 1, 1,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"replaces": "order.unheard_of"}, "not an event of this domain"),
        ({"replaces": "ShipmentReady"}, "not an event of this domain"),
        ({"replaces": "order.created"}, "must be named 'order.created.v2'"),
        ({"replaces": "order.paid.v2"}, "must be named 'order.paid.v3'"),
        ({"replaces": ["order.paid"]}, "not an event of this domain"),
        ({"aggregate": "payment"}, "events are ordered by it"),
    ],
)
def test_an_event_type_that_can_t_replace_another_is_refused(
    schemas: Path, change: dict[str, Any], words: str
) -> None:
    edit(schemas, lambda events: events["order.paid.v2"].update(change))
    with pytest.raises(CatalogInvalid, match=re.escape(words)):
        Catalog.load(schemas)


def test_a_major_version_without_its_converter_is_refused(schemas: Path) -> None:
    (schemas / "orders" / "order_paid_v2.py").unlink()
    with pytest.raises(CatalogInvalid, match=r"order_paid_v2\.py is missing"):
        Catalog.load(schemas)


def test_the_current_version_is_the_one_that_an_event_type_is_known_by(schemas: Path) -> None:
    def current(states: dict[int, str]) -> int | None:
        for number in states:
            text = (schemas / "orders" / "order.paid.v1.avsc").read_text()
            (schemas / "orders" / f"order.paid.v{number}.avsc").write_text(text)
        edit(schemas, lambda events: events["order.paid"].update(versions=states))
        found = Catalog.load(schemas).event_type("order.paid").current
        return found.version if found else None

    assert current({1: "proposed"}) is None
    assert current({1: "approved"}) == 1
    assert current({1: "active", 2: "approved"}) == 1
    assert current({1: "deprecated", 2: "active", 3: "proposed"}) == 2
    assert current({1: "deprecated", 2: "deprecated", 3: "retired"}) == 2
    assert current({1: "retired", 2: "retired", 3: "approved"}) == 2


def test_a_payload_goes_up_and_down_again(schemas: Path) -> None:
    catalog = Catalog.load(schemas)
    up = conversion(catalog, "order.paid", "order.paid.v2")
    down = conversion(catalog, "order.paid.v2", "order.paid")
    assert up(PAID)["captured"] == {"amount": "12.50", "currency": "EUR"}
    assert down(up(PAID)) == PAID
    assert conversion(catalog, "order.paid", "order.paid")(PAID) == PAID


def test_a_payload_goes_through_every_version_between(schemas: Path) -> None:
    avsc = json.loads(guide("avsc"))
    avsc["name"] = "OrderPaidV3"
    (schemas / "orders" / "order.paid.v3.v1.avsc").write_text(json.dumps(avsc))
    (schemas / "orders" / "order_paid_v3.py").write_text(
        "def up(p):\n    return {**p, 'attempt': p['attempt'] + 1}\n"
        "def down(p):\n    return {**p, 'attempt': p['attempt'] - 1}\n"
    )
    third = {**yaml.safe_load(guide("yaml"))["order.paid.v2"], "replaces": "order.paid.v2"}
    edit(schemas, lambda events: events.update({"order.paid.v3": third}))
    catalog = Catalog.load(schemas)
    newest = conversion(catalog, "order.paid", "order.paid.v3")(PAID)
    assert (newest["attempt"], newest["captured"]["currency"]) == (2, "EUR")
    assert conversion(catalog, "order.paid.v3", "order.paid")(newest) == PAID


def test_a_converter_that_fails_says_which_and_why_and_a_mended_one_is_taken_up(
    schemas: Path,
) -> None:
    def up() -> Any:
        return conversion(Catalog.load(schemas), "order.paid", "order.paid.v2")

    convert_with(
        schemas,
        '"method": paid["method"],\n        "captured"',
        '"method": paid["way"],\n        "captured"',
    )
    with pytest.raises(PayloadInvalid, match=r"v2\.py, up: order\.paid can't .*KeyError\('way'\)"):
        up()(PAID)
    convert_with(schemas, '"method": paid["way"]', '"method": paid["method"].lower()')
    assert up()(PAID)["method"] == "card"
    convert_with(schemas, "def up(", "def upwards(")
    with pytest.raises(CatalogInvalid, match=r"no function up\(payload\)"):
        up()
    convert_with(schemas, "def upwards(", "1 / 0\ndef up(")
    with pytest.raises(CatalogInvalid, match="ZeroDivisionError"):
        up()


def test_a_converter_that_is_mended_within_a_second_is_taken_up_in_its_new_form(
    schemas: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    # Given a converter of which Python's loader would keep a compiled file
    file = schemas / "orders" / "order_paid_v2.py"
    mended = file.read_text()
    file.write_text(mended.replace("up(paid", "ab(paid"))
    with pytest.raises(CatalogInvalid, match="no function up"):
        conversion(Catalog.load(schemas), "order.paid", "order.paid.v2")
    # When it has the same size and second, but another text
    before = file.stat().st_mtime_ns
    file.write_text(mended)
    os.utime(file, ns=(before, before // 10**9 * 10**9))
    assert (
        conversion(Catalog.load(schemas), "order.paid", "order.paid.v2")(PAID)["method"] == "CARD"
    )


def test_a_converter_that_is_gone_is_named(schemas: Path) -> None:
    catalog = Catalog.load(schemas)
    (schemas / "orders" / "order_paid_v2.py").unlink()
    with pytest.raises(CatalogInvalid, match=r"order_paid_v2\.py: the converter can't be read"):
        conversion(catalog, "order.paid", "order.paid.v2")


def test_the_guides_converter_gets_every_value_across(schemas: Path) -> None:
    found = checked(schemas)
    assert (found.passed, found.failures, found.unprobed) == (True, (), ())
    assert found.lost == ()
    # Texts that the enums of order.paid do not know come back as OTHER.
    assert found.lost_newer == ("method", "provider")


def test_a_converter_that_breaks_at_some_values_is_told_with_one_of_them(schemas: Path) -> None:
    convert_with(schemas, 'if paid["method"] in METHODS else "OTHER"', 'if True else "OTHER"')
    convert_with(
        schemas,
        '"attempt": paid["attempt"],\n    }\n\n\ndef down',
        '"attempt": 1,\n    }\n\n\ndef down',
    )
    found = checked(schemas)
    assert not found.passed
    assert {(f.function, f.path) for f in found.failures} == {("down", "$.method")}
    assert "It got {" in found.failures[0].sentence
    assert found.lost == ("attempt",)
    convert_with(schemas, "def down(", "def downwards(")
    assert "no function down(payload)" in str(checked(schemas).refusal)
    assert not checked(schemas).passed


def test_classes_of_both_major_versions_stand_side_by_side(schemas: Path) -> None:
    # Given a second version of each, so that every kind of name is there
    for name in ("order.paid", "order.paid.v2"):
        text = (schemas / "orders" / f"{name}.v1.avsc").read_text()
        (schemas / "orders" / f"{name}.v2.avsc").write_text(text)
        states = {1: "deprecated", 2: "active"}
        edit(schemas, lambda events, name=name, states=states: events[name].update(versions=states))  # type: ignore[misc]
    generate(Catalog.load(schemas))
    assert stale(Catalog.load(schemas)) == []
    program = """
import events_of_shop as shop
names = {key: kind.__name__ for key, kind in shop.EVENT_CLASSES.items() if "paid" in key[0]}
assert names == {
    ("order.paid", 1): "OrderPaidVersion1", ("order.paid", 2): "OrderPaid",
    ("order.paid.v2", 1): "OrderPaidV2Version1", ("order.paid.v2", 2): "OrderPaidV2",
}, names
assert shop.DomainEventCatalog.ORDER_PAID_V2 == "order.paid.v2"
"""
    run_beside(schemas, program)


def record(event_type: str | None, offset: int = 0, **headers: str) -> Record:
    given = {"ce_id": "e1", **({"ce_type": event_type} if event_type else {}), **headers}
    pairs = tuple((name, value.encode()) for name, value in given.items())
    return Record.read("events.orders", 0, offset, key=b"a", value=b"", headers=pairs)


ORIGINAL = record("order.paid", ce_copies="order.paid.v2")
COPY = record("order.paid.v2", ce_originalid="e1", ce_originaltype="order.paid")
ALONE = record("order.paid")
NEWER = record("order.paid.v2", ce_copies="order.paid")
NEWER_COPY = record("order.paid", ce_originalid="e1", ce_originaltype="order.paid.v2")
NEWER_ALONE = record("order.paid.v2")
# In the order of a topic: copies lie before their original.
EVERY = (COPY, ORIGINAL, ALONE, NEWER_COPY, NEWER, NEWER_ALONE)


@pytest.mark.parametrize(
    ("handled", "wanted"),
    [
        ({"order.paid"}, [ORIGINAL, ALONE, NEWER_COPY, NEWER_ALONE]),
        ({"order.paid.v2"}, [COPY, ALONE, NEWER, NEWER_ALONE]),
        ({"order.paid", "order.paid.v2"}, [ORIGINAL, ALONE, NEWER, NEWER_ALONE]),
        ({"order.created"}, []),
    ],
)
def test_a_group_takes_one_record_of_every_event(
    schemas: Path, handled: set[str], wanted: list[Record]
) -> None:
    edit(schemas, lambda events: events["order.paid.v2"].update(versions={1: "approved"}))
    majors = Majors.of(Catalog.load(schemas), handled)
    copied: set[str] = set()
    assert [r for r in EVERY if majors.takes(r, copied, replay=False)] == wanted
    assert copied == set()
    # What the group has set aside once it takes again, whatever was published beside it.
    assert all(majors.takes(r, copied, replay=True) for r in EVERY)
    assert majors.takes(record(None), copied, replay=False)


@pytest.mark.parametrize(
    ("handled", "original"), [("order.paid.v2", ORIGINAL), ("order.paid", NEWER)]
)
def test_an_original_whose_copy_this_member_has_not_read_is_taken(
    schemas: Path, handled: str, original: Record
) -> None:
    edit(schemas, lambda events: events["order.paid.v2"].update(versions={1: "approved"}))
    assert Majors.of(Catalog.load(schemas), {handled}).takes(original, set(), replay=False)


def test_one_of_several_copies_is_taken(schemas: Path) -> None:
    # Given a group with handlers for two versions, neither of which is the original's
    majors = Majors(handled={"order.paid.v2", "order.paid.v3"}, bridges={})
    third = record("order.paid.v3", ce_originalid="e1", ce_originaltype="order.paid")
    copied: set[str] = set()
    taken = [majors.takes(r, copied, replay=False) for r in (COPY, third, ORIGINAL)]
    assert taken == [True, False, False]


def test_a_copy_has_the_id_of_its_original() -> None:
    assert record("x", ce_id="e1/subject", ce_originalid="e1").event_id == "e1"
    assert record("x", ce_id="e1/subject").event_id == "e1/subject"


def test_a_copy_and_its_original_have_one_id_also_where_that_is_too_long_to_be_kept() -> None:
    given = "e" * 2_000
    names = {
        record("x", ce_id=given).event_id,
        record("x.v2", 1, ce_id=f"{given}/subject", ce_originalid=given).event_id,
    }
    assert len(names) == 1
    assert names != {record("x", ce_id=given + "e").event_id}
    assert all(len(name) <= 255 for name in names)


def test_an_event_type_of_proposals_alone_bridges_nothing(schemas: Path) -> None:
    catalog = Catalog.load(schemas)
    assert catalog.version("order.paid.v2", 1).state is State.PROPOSED
    assert Majors.of(catalog, {"order.paid"}).bridge("order.paid.v2") is None
    bridge = Majors.of(catalog, {"order.paid.v2"}).bridge("order.paid")
    assert bridge is not None
    assert (bridge.source, bridge.target) == ("order.paid", "order.paid.v2")


def test_documents_name_what_a_major_version_replaces_and_the_headers_of_copies(
    schemas: Path,
) -> None:
    catalog = Catalog.load(schemas)
    assert "- Major version 2, replaces `order.paid`" in catalog_page(catalog)
    headers = headers_schema()["eventHeaders"]
    assert {"ce_copies", "ce_originalid", "ce_originaltype"} <= headers["properties"].keys()
    assert not {"ce_copies", "ce_originalid", "ce_originaltype"} & set(headers["required"])
