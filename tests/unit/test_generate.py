"""`relay schemas generate`: deterministic, formatted, typed, and checked for staleness."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from relay.cli.schemas import app
from relay.errors import CatalogInvalid
from relay.schema.catalog import Catalog
from relay.schema.codegen.generate import generate, stale
from tests.unit.test_catalog import SHIPPED

ROOT = SHIPPED.parent
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 3}
LONG = "AnEventTypeWhoseNameFillsTheLine"
EVERY_TYPE: list[tuple[str, Any, Any]] = [
    ("flag", "boolean", True),
    ("count", "int", -1),
    ("bigCount", "long", 2**40),
    ("ratio", "double", 0.5),
    ("name", "string", 'it\'s "quoted" \\ ünïcödé'),
    ("from", "string", "a keyword of Python"),
    ("payload", "string", "a name that every event has"),
    ("URLOfThing", "string", None),
    ("raw", "bytes", "\u00ff"),
    ("digest", {"type": "fixed", "name": "Digest", "size": 2}, None),
    ("price", DECIMAL, "\u007f"),
    ("id", {"type": "string", "logicalType": "uuid"}, None),
    ("day", {"type": "int", "logicalType": "date"}, 0),
    ("hour", {"type": "int", "logicalType": "time-millis"}, 1000),
    ("at", {"type": "long", "logicalType": "timestamp-micros"}, 0),
    ("exactlyAt", {"type": "long", "logicalType": "timestamp-nanos"}, 0),
    ("there", {"type": "long", "logicalType": "local-timestamp-micros"}, None),
    ("colour", {"type": "enum", "name": "Colour", "symbols": ["RED", "BLUE"]}, "BLUE"),
    ("sameColour", "Colour", None),
    ("tags", {"type": "array", "items": "string"}, []),
    ("prices", {"type": "array", "items": {"type": "map", "values": ["null", DECIMAL]}}, []),
    ("labels", {"type": "map", "values": "long"}, {"a": 1}),
    ("anything", ["null", "string", "long"], None),
    (
        "way",
        [
            "null",
            *(
                {"type": "record", "name": name, "fields": [{"name": "note", "type": "string"}]}
                for name in ("ByCard", "ByCash")
            ),
        ],
        None,
    ),
    ("maybe", [DECIMAL, "null"], "\u0001"),
    (
        "aVeryLongNameOfAFieldThatFillsTheLine",
        ["null", {"type": "string", "logicalType": "uuid"}],
        0,
    ),
    (
        "tree",
        {
            "type": "record",
            "name": "Branch",
            "doc": 'Ends with a "quote"',
            "fields": [
                {"name": "children", "type": {"type": "array", "items": "Branch"}, "default": []},
                {"name": "weight", "type": ["null", "float"], "default": None},
            ],
        },
        None,
    ),
]


def schema(event: str, fields: list[Any]) -> str:
    head = {"type": "record", "name": event, "namespace": "relay.events.odd_shop"}
    return json.dumps({**head, "doc": "Odd: \\ and 'quotes'. " * 9, "fields": fields})


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A catalog with every type, an old version, a proposed one and an event without fields."""
    folder = tmp_path / "events_of_odd"
    (folder / "odd_shop").mkdir(parents=True)
    fields: list[dict[str, Any]] = []
    for name, type_, default in EVERY_TYPE:
        fields.append({"name": name, "type": type_, "doc": f"What {name} means. " * 8})
        if default is not None:
            fields[-1]["default"] = None if default == 0 and name.startswith("aVery") else default
    files = {
        "Everything.v1.avsc": schema("Everything", fields),
        "Everything.v2.avsc": schema("Everything", list(reversed(fields[:6]))),
        "Everything.v3.avsc": schema("Everything", []),
        "nothing.at_all.v1.avsc": schema("NothingAtAll", []),
        f"{LONG}.v1.avsc": schema(LONG, []),
        "domain.yaml": """\
domain: odd_shop
owner: Odd
events:
  Everything:
    aggregate: thing
    versions: {1: active, 2: deprecated, 3: proposed}
  nothing.at_all:
    aggregate: thing
    versions: {1: active}
  LONG:
    aggregate: thing
    versions: {1: active}
""".replace("LONG", LONG),
    }
    for name, text in files.items():
        (folder / "odd_shop" / name).write_text(text)
    return folder


def run(*command: str, cwd: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_committed_events_are_those_of_the_committed_schemas() -> None:
    assert stale(Catalog.load(SHIPPED)) == []


def test_generating_twice_writes_nothing_the_second_time(odd: Path) -> None:
    written = generate(Catalog.load(odd))

    assert [path.relative_to(odd).as_posix() for path in written] == [
        "__init__.py",
        "odd_shop/__init__.py",
        "odd_shop/events.py",
    ]
    assert generate(Catalog.load(odd)) == []


def test_generated_code_is_formatted_linted_and_typed(odd: Path, mypy_cache: str) -> None:
    generate(Catalog.load(odd))
    settings = ("--config", str(ROOT / "pyproject.toml"), "--no-cache", str(odd))

    run("ruff", "format", "--check", *settings, cwd=odd.parent)
    run("ruff", "check", *settings, cwd=odd.parent)
    run(
        "mypy",
        "--strict",
        "--cache-dir",
        mypy_cache,
        "events_of_odd",
        cwd=odd.parent,
    )


def test_generated_code_of_every_type_comes_back_from_its_bytes(odd: Path) -> None:
    generate(Catalog.load(odd))
    program = """
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID
import events_of_odd
from events_of_odd.odd_shop.events import Branch, ByCard, ByCash, everything, nothing_at_all
from relay.events import checked
from relay.schema.avro.decoder import compile_decoder
from relay.schema.avro.encoder import compile_encoder

at = datetime(2026, 1, 31, tzinfo=UTC)
event = everything(
    "t-1", url_of_thing="u", digest=b"ab", id=UUID(int=7), there=datetime(2026, 1, 31, 12),
    same_colour="RED", anything=5, way=None, prices=[{"a": Decimal("0.125"), "b": None}],
    tree=Branch(children=[Branch(weight=0.5)]), maybe=Decimal("0.001"), occurred_at=at,
)
assert event.name == "it's \\"quoted\\" \\\\ ünïcödé", event.name
assert event.price == Decimal("0.127") and event.maybe == Decimal("0.001")
assert event.labels == {"a": 1} and event.raw == b"\\xff" and event.from_
kind = events_of_odd.event_class("Everything")
payload = compile_decoder(kind.SCHEMA)(compile_encoder(kind.SCHEMA)(event.to_json()))
assert kind.from_json(payload, aggregate_id="t-1", occurred_at=at) == event
assert events_of_odd.event_class("Everything", 2).__name__ == "EverythingVersion2"
assert ("Everything", 3) not in events_of_odd.EVENT_CLASSES
assert nothing_at_all("t-2").to_json() == {}
cash, card = (
    replace(event, way=way(note="n"), metadata=None) for way in (ByCash, ByCard)
)
assert cash.payload == card.payload and cash.payload["way"] == {"note": "n"}
assert checked(cash).avro != checked(card).avro
assert compile_decoder(kind.SCHEMA)(checked(cash).avro)["way"] == {"note": "n"}
"""
    run_in = subprocess.run(
        [sys.executable, "-c", program], cwd=odd.parent, capture_output=True, text=True, check=False
    )

    assert run_in.returncode == 0, run_in.stderr


def test_mypy_checks_every_argument_of_a_class_and_its_factory(odd: Path, mypy_cache: str) -> None:
    text = schema("NothingAtAll", [{"name": "note", "type": "string"}])
    (odd / "odd_shop" / "nothing.at_all.v1.avsc").write_text(text)
    generate(Catalog.load(odd))
    calls = {
        "NothingAtAll('t-1', note='a')": "",
        "nothing_at_all(aggregate_id='t-1', note='a')": "",
        "NothingAtAll('t-1', note='a', occurred_at=None)": "occurred_at",
        "nothing_at_all('t-1', note='a', noet='a')": "noet",
        "nothing_at_all('t-1', note=1)": "note",
        "nothing_at_all('t-1')": "note",
        "nothing_at_all(note='a')": "aggregate_id",
        "nothing_at_all('t-1', 'a')": "positional",
    }
    head = "from events_of_odd.odd_shop.events import NothingAtAll, nothing_at_all"
    (odd.parent / "calls.py").write_text("\n".join([head, *calls]))

    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", mypy_cache, "calls.py"],
        cwd=odd.parent,
        capture_output=True,
        text=True,
        check=False,
    )

    for line, (call, problem) in enumerate(calls.items(), 2):
        found = re.findall(rf"^calls.py:{line}: error: (.*)$", checked.stdout, re.M)
        assert bool(found) == bool(problem), (call, checked.stdout)
        assert problem in "".join(found), (call, found)


def test_check_names_the_stale_files_and_writes_nothing(
    odd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENT_BUS_SCHEMAS_DIR", str(odd))
    assert CliRunner().invoke(app, ["generate"]).exit_code == 0
    assert CliRunner().invoke(app, ["generate", "--check"]).exit_code == 0
    file = odd / "odd_shop" / "Everything.v1.avsc"
    file.write_text(file.read_text().replace('"bigCount"', '"largeCount"'))
    before = (odd / "odd_shop" / "events.py").read_text()

    result = CliRunner().invoke(app, ["generate", "--check"])

    assert result.exit_code == 1
    assert str(odd / "odd_shop" / "events.py") in result.output
    assert (odd / "odd_shop" / "events.py").read_text() == before


def test_one_name_for_two_different_types_is_refused(odd: Path) -> None:
    other = {"type": "enum", "name": "Colour", "symbols": ["GREEN"]}
    text = schema("NothingAtAll", [{"name": "colour", "type": other}])
    (odd / "odd_shop" / "nothing.at_all.v1.avsc").write_text(text)

    with pytest.raises(CatalogInvalid, match=r"Colour in .* differs"):
        generate(Catalog.load(odd))


def test_two_fields_that_become_one_attribute_are_refused(odd: Path) -> None:
    fields = [{"name": "orderId", "type": "int"}, {"name": "order_id", "type": "int"}]
    (odd / "odd_shop" / "nothing.at_all.v1.avsc").write_text(schema("NothingAtAll", fields))

    with pytest.raises(CatalogInvalid, match="order_id"):
        generate(Catalog.load(odd))


def test_the_list_of_schemas_is_one_json_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENT_BUS_SCHEMAS_DIR", str(SHIPPED))

    rows = json.loads(CliRunner().invoke(app, ["list", "--json"]).stdout)

    (paid,) = (row for row in rows if row["eventType"] == "order.paid")
    assert paid["topic"] == "events.orders"
    assert paid["consumers"] == ["fulfillment", "billing", "timeline"]
    assert paid["versions"][0]["subject"] == "events.orders-relay.events.orders.OrderPaid"
