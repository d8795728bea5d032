"""Names of a catalog that Python, or the generated module itself, has a meaning for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from relay.errors import CatalogInvalid
from relay.schema.catalog import Catalog
from relay.schema.codegen.generate import generate
from tests.unit.programs import run_beside
from tests.unit.test_generate import ROOT, run

DATE = {"type": "int", "logicalType": "date"}
# Beside these each name would hide something: a type, a reader, a default's function.
NEIGHBOURS = [
    {"name": "tags", "type": {"type": "array", "items": "string"}, "default": []},
    {"name": "labels", "type": {"type": "map", "values": "long"}, "default": {}},
    {"name": "firstDay", "type": DATE, "default": 0},
    {"name": "lastDay", "type": ["null", DATE], "default": None},
    {"name": "raw", "type": "bytes", "default": "a"},
]
FIELDS = [
    *("bool", "bytes", "classmethod", "date", "datetime", "dict", "each", "each_value", "field"),
    *("float", "from_base64", "int", "json", "list", "now", "optional", "str", "time", "validate"),
    *("__init__", "__slots__", "__typename", "_id", "UUID", "Decimal", "None", "lambda"),
]
TYPES = [
    *("Any", "ClassVar", "Decimal", "DomainEvent", "Literal", "Mapping", "Metadata", "Part"),
    *("Self", "TypeAlias", "UUID", "None", "class", "date", "dict", "field", "json", "list", "now"),
    *("str", "validate"),
]


def catalog(folder: Path, domains: dict[str, dict[str, Any]], aggregate: str = "thing") -> Path:
    """A schemas folder. domains: name -> event type -> fields of its only version."""
    for domain, events in domains.items():
        home = folder / domain
        home.mkdir(parents=True)
        listed = {event: {"aggregate": aggregate, "versions": {1: "active"}} for event in events}
        (home / "domain.yaml").write_text(
            json.dumps({"domain": domain, "owner": "Odd", "events": listed}).replace('"1"', "1")
        )
        for event, fields in events.items():
            name = "".join(word[:1].upper() + word[1:] for word in event.split("."))
            record = {
                **{"type": "record", "name": name, "namespace": f"relay.events.{domain}"},
                "fields": fields,
            }
            (home / f"{event}.v1.avsc").write_text(json.dumps(record))
    return folder


def runs(folder: Path, program: str) -> None:
    generate(Catalog.load(folder))
    run_beside(folder, program)


def named(kind: str, name: str) -> dict[str, Any]:
    if kind == "enum":
        return {"type": "enum", "name": name, "symbols": ["A", "B"]}
    return {"type": "record", "name": name, "fields": [{"name": "x", "type": DATE}]}


def test_no_name_of_a_field_or_type_breaks_the_generated_module(
    tmp_path: Path, mypy_cache: str
) -> None:
    one_each = {
        f"field.n{number}": [{"name": name, "type": "string", "default": "a"}, *NEIGHBOURS]
        for number, name in enumerate(FIELDS)
    }
    domains = {"fields": one_each}
    for kind in ("enum", "record"):
        domains[f"{kind}s"] = {
            f"{kind}.all": [
                {"name": f"f{number}", "type": named(kind, name)}
                for number, name in enumerate(TYPES)
            ]
            + NEIGHBOURS
        }
    folder = catalog(tmp_path / "odd_names", domains)

    runs(
        folder,
        "import odd_names\n"
        "from odd_names.fields import events\n"
        f"for number in range({len(FIELDS)}):\n"
        "    made = getattr(events, f'field_n{number}')('t-1')\n"
        "    assert list(made.to_json().values())[:2] == ['a', []], made\n",
    )
    settings = ("--config", str(ROOT / "pyproject.toml"), "--no-cache", str(folder))
    run("ruff", "check", *settings, cwd=tmp_path)
    run("ruff", "format", "--check", *settings, cwd=tmp_path)
    run("mypy", "--strict", "--cache-dir", mypy_cache, "odd_names", cwd=tmp_path)


@pytest.mark.parametrize("aggregate", ["sales order", "3d", "Order/Item", 'a"b', "größe", "class"])
def test_any_type_of_aggregate_gives_a_function_that_makes_events(
    tmp_path: Path, aggregate: str
) -> None:
    folder = catalog(tmp_path / "odd_names", {"shop": {"thing.made": []}}, aggregate)

    runs(
        folder,
        "from odd_names.shop.events import thing_made\n"
        "assert thing_made('t-1').aggregate_id == 't-1'\n",
    )


def test_a_recursive_record_is_read_back(tmp_path: Path, mypy_cache: str) -> None:
    fields = [
        {"name": "text", "type": "string"},
        {"name": "replies", "type": {"type": "array", "items": "Comment"}, "default": []},
        {"name": "answers", "type": ["null", "Comment"], "default": None},
    ]
    folder = catalog(tmp_path / "odd_names", {"forum": {"Comment": fields}})

    runs(
        folder,
        "from odd_names.forum.events import Comment, CommentPart, comment\n"
        "made = comment('c-1', text='a', replies=[CommentPart(text='b')])\n"
        "read = Comment.from_json(\n"
        "    made.to_json(), aggregate_id='c-1', occurred_at=made.occurred_at\n"
        ")\n"
        "assert read == made and read.replies[0].text == 'b'\n",
    )
    run("mypy", "--strict", "--cache-dir", mypy_cache, "odd_names", cwd=tmp_path)


def test_docs_and_defaults_may_have_characters_that_are_not_printable(tmp_path: Path) -> None:
    odd = "a\u0000b\u202ec\u2028d\\"
    fields = [{"name": "text", "type": "string", "doc": odd, "default": odd}]
    folder = catalog(tmp_path / "odd_names", {"shop": {"thing.made": fields}})

    runs(
        folder,
        "from odd_names.shop.events import thing_made\n"
        "assert thing_made('t-1').text == 'a\\0b\\u202ec\\u2028d\\\\'\n",
    )
    settings = ("--config", str(ROOT / "pyproject.toml"), "--no-cache", str(folder))
    run("ruff", "check", *settings, cwd=tmp_path)


def test_types_of_one_name_whose_defaults_mean_different_numbers_are_not_shared(
    tmp_path: Path,
) -> None:
    def money(scale: int, **more: Any) -> list[dict[str, Any]]:
        amount = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": scale}
        fields = [{"name": "amount", "type": amount, **more}]
        return [{"name": "fee", "type": {"type": "record", "name": "Fee", "fields": fields}}]

    events = {"order.paid": money(2, default="\x7f"), "order.sent": money(3, default="\x7f")}
    with pytest.raises(CatalogInvalid, match=r"Fee in .* differs"):
        generate(Catalog.load(catalog(tmp_path / "scales", {"orders": events})))


def test_a_default_of_true_differs_from_no_default(tmp_path: Path) -> None:
    def gift(**more: Any) -> list[dict[str, Any]]:
        fields = [{"name": "wrapped", "type": "boolean", **more}]
        return [{"name": "gift", "type": {"type": "record", "name": "Gift", "fields": fields}}]

    events = {"order.paid": gift(), "order.sent": gift(default=True)}
    with pytest.raises(CatalogInvalid, match=r"Gift in .* differs"):
        generate(Catalog.load(catalog(tmp_path / "gifts", {"orders": events})))


def test_a_domain_called_catalog_keeps_the_union_of_all_events(
    tmp_path: Path, mypy_cache: str
) -> None:
    events: dict[str, dict[str, Any]] = {
        "catalog": {"item.listed": []},
        "orders": {"order.paid": []},
    }

    runs(
        catalog(tmp_path / "odd_names", events),
        "from typing import get_args\n"
        "from odd_names import CatalogEvent\n"
        "from odd_names.catalog.events import ItemListed\n"
        "from odd_names.orders.events import OrderPaid\n"
        "assert set(get_args(CatalogEvent)) == {ItemListed, OrderPaid}\n",
    )
    run("mypy", "--strict", "--cache-dir", mypy_cache, "odd_names", cwd=tmp_path)


@pytest.mark.parametrize(
    ("domains", "problem"),
    [
        ({"import": {"goods.arrived": []}}, "domain import: .* keyword"),
        ({"one": {"order.paid": []}, "two": {"ORDERPaid": []}}, "ORDER_PAID"),
        ({"orders": {"a.b": []}, "shop": {"orders.event": []}}, "OrdersEvent"),
    ],
)
def test_clashing_names_are_refused_with_what_to_rename(
    tmp_path: Path, domains: dict[str, Any], problem: str
) -> None:
    with pytest.raises(CatalogInvalid, match=f"{problem}.*Rename"):
        generate(Catalog.load(catalog(tmp_path / "odd_names", domains)))
