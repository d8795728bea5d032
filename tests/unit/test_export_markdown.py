"""The catalog's page, and the types' words on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from relay.schema.avro.parse import read_schema
from relay.schema.catalog import Catalog
from relay.schema.export.markdown import catalog_page, type_in_words
from tests.unit.test_catalog import ORDERS, SHIPPED

ROOT = SHIPPED.parent
STATUS = {"type": "enum", "name": "Status", "symbols": ["OPEN", "DONE"], "default": "OPEN"}
LINE = {"type": "record", "name": "Line", "doc": "One line.", "fields": []}
FIELDS = [
    {"name": "email", "type": "string", "doc": "Who | where <b>.", "pii": True},
    {"name": "note", "type": ["null", "string"], "default": None, "doc": "Why."},
    {"name": "status", "type": STATUS, "default": "DONE"},
    {"name": "lines", "type": {"type": "array", "items": LINE}},
]
MARKED = {"name": "text", "type": "string", "default": "a `` <b> | `c`", "doc": "What\n| `it` is."}


@pytest.fixture
def page(tmp_path: Path) -> str:
    """The page of a catalog with one event type in three versions."""
    (tmp_path / "orders").mkdir()
    text = ORDERS.replace("{1: active}", "{1: retired, 2: deprecated, 3: active}")
    (tmp_path / "orders" / "domain.yaml").write_text(text)
    for number in (1, 2, 3):
        schema = {"type": "record", "name": "OrderPaid", "namespace": "relay.events.orders"}
        file = tmp_path / "orders" / f"order.paid.v{number}.avsc"
        file.write_text(
            json.dumps({**schema, "doc": "It is paid.", "fields": FIELDS[: number + 1]})
        )
    return catalog_page(Catalog.load(tmp_path))


def test_an_event_type_is_listed_with_its_versions_and_groups(page: str) -> None:
    assert "Owner OrdersService, topic `events.orders` with 8 partitions" in page
    assert "### order.paid\n\nIt is paid.\n" in page
    assert "- Versions: 1 retired, 2 deprecated, 3 active\n" in page
    assert "- Consumer groups: `timeline`, `billing`\n" in page
    assert "Version 2, deprecated, subject" in page
    assert "Version 1, retired, subject" not in page


def test_a_field_is_listed_with_type_default_and_personal_data(page: str) -> None:
    assert r"| `email` | text |  | Who \| where &lt;b>. Personal data. |" in page
    assert "| `note` | text or null | `null` | Why. |" in page
    assert '| `status` | Status | `"DONE"` |  |' in page
    assert "| `lines` | list of Line |  |  |" in page


def test_backticks_in_a_default_do_not_end_its_code_span(tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "domain.yaml").write_text(ORDERS)
    schema = {"type": "record", "name": "OrderPaid", "namespace": "relay.events.orders"}
    file = tmp_path / "orders" / "order.paid.v1.avsc"
    file.write_text(json.dumps({**schema, "fields": [MARKED]}))

    page = catalog_page(Catalog.load(tmp_path))

    assert r"""| `text` | text | ```"a `` <b> \| `c`"``` | What \| `it` is. |""" in page


def test_types_with_names_are_explained_below_the_fields(page: str) -> None:
    assert "**Status**: One of `OPEN`, `DONE`; readers take `OPEN` for one" in page
    assert "**Line**: One line.\n\nNo fields.\n" in page


def test_a_group_is_listed_with_its_event_types_and_dead_letter_topics(page: str) -> None:
    row = "| `billing` | `events.orders` | [order.paid](#orderpaid) | `events.orders.billing.dlq` |"

    assert row in page


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ("long", "whole number (64 bits)"),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2},
            "decimal with 12 digits, 2 of them after the point",
        ),
        ({"type": "bytes", "logicalType": "decimal", "precision": 3}, "decimal with 3 digits"),
        (["null", "string", "long"], "text or whole number (64 bits) or null"),
        ({"type": "map", "values": {"type": "array", "items": "int"}}, "map of text to list of "),
        ({"type": "long", "logicalType": "timestamp-micros"}, "timestamp to the microsecond"),
        ({"type": "fixed", "name": "F", "size": 3}, "3 bytes"),
        ({"type": "string", "logicalType": "uuid"}, "UUID"),
    ],
)
def test_types_are_described_in_words(schema: Any, words: str) -> None:
    assert type_in_words(read_schema(schema)).startswith(words)


def test_every_event_type_and_group_of_the_shipped_catalog_is_on_its_page() -> None:
    catalog = Catalog.load(SHIPPED)

    page = catalog_page(catalog)

    for name in catalog.event_types:
        assert f"\n### {name}\n" in page
    for group in catalog.groups:
        assert f"\n| `{group}` |" in page


def test_the_committed_page_is_that_of_the_committed_schemas() -> None:
    assert (ROOT / "docs" / "catalog.md").read_text("utf-8") == catalog_page(Catalog.load(SHIPPED))
