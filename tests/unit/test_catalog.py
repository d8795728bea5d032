"""Loading the schemas folder, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from relay.errors import CatalogInvalid, SchemaUnknown
from relay.schema.catalog import Catalog, State

SHIPPED = Path(__file__).parents[2] / "schemas"
ORDERS = """\
domain: orders
owner: OrdersService
events:
  order.paid:
    aggregate: order
    versions: {1: active}
    consumers: [timeline, billing]
"""


def avsc(name: str = "OrderPaid", namespace: str = "relay.events.orders") -> dict[str, Any]:
    return {
        "type": "record",
        "name": name,
        "namespace": namespace,
        "fields": [{"name": "amount", "type": "long"}],
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A catalog with the single event type order.paid."""
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "domain.yaml").write_text(ORDERS)
    (tmp_path / "orders" / "order.paid.v1.avsc").write_text(json.dumps(avsc()))
    return tmp_path


def rewrite(folder: Path, old: str, new: str) -> None:
    file = folder / "orders" / "domain.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def refusal(folder: Path) -> str:
    with pytest.raises(CatalogInvalid) as caught:
        Catalog.load(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_an_event_type_has_its_topic_subject_and_fingerprint(folder: Path) -> None:
    catalog = Catalog.load(folder)

    version = catalog.active("order.paid")

    assert catalog.topic("order.paid") == "events.orders"
    assert version.version == 1
    assert version.state is State.ACTIVE
    assert version.record_name == "relay.events.orders.OrderPaid"
    assert version.subject == "events.orders-relay.events.orders.OrderPaid"
    assert len(version.fingerprint) == 8
    assert json.loads(version.text) == version.avsc == avsc()


def test_what_the_domain_file_leaves_out_has_defaults(folder: Path) -> None:
    domain = Catalog.load(folder).domains["orders"]

    assert (domain.topic, domain.partitions) == ("events.orders", 8)
    assert (domain.compatibility, domain.source_module) == ("BACKWARD", "orders")


def test_dead_letter_and_retry_topics_have_one_partition(folder: Path) -> None:
    rewrite(folder, "owner:", "partitions: 3\nowner:")

    catalog = Catalog.load(folder)

    assert catalog.groups == {
        "billing": {"events.orders": ("order.paid",)},
        "timeline": {"events.orders": ("order.paid",)},
    }
    assert catalog.all_topics() == {
        "events.orders": 3,
        "events.orders.billing.dlq": 1,
        "events.orders.billing.retry": 1,
        "events.orders.timeline.dlq": 1,
        "events.orders.timeline.retry": 1,
    }


def test_a_group_that_nobody_runs_is_listed_like_any_other(folder: Path) -> None:
    rewrite(folder, "[timeline, billing]", "[nobody-runs-this]")

    assert list(Catalog.load(folder).groups) == ["nobody-runs-this"]


def test_unknown_event_types_and_versions_are_refused(folder: Path) -> None:
    catalog = Catalog.load(folder)

    with pytest.raises(SchemaUnknown, match=r"order\.payed"):
        catalog.active("order.payed")
    with pytest.raises(SchemaUnknown, match="no schema version 2"):
        catalog.version("order.paid", 2)


def test_the_error_about_an_event_type_without_active_version_has_the_fix(folder: Path) -> None:
    rewrite(folder, "1: active", "1: approved")

    with pytest.raises(SchemaUnknown, match=r"Set one to active"):
        Catalog.load(folder).active("order.paid")


def test_a_doc_that_is_left_empty_is_none(folder: Path) -> None:
    rewrite(folder, "aggregate: order", "doc:\n    aggregate: order")

    assert Catalog.load(folder).event_type("order.paid").doc == ""


def test_a_missing_folder_names_the_setting(tmp_path: Path) -> None:
    assert "EVENT_BUS_SCHEMAS_DIR" in refusal(tmp_path / "nowhere")


def test_a_folder_without_domains_names_the_setting(tmp_path: Path) -> None:
    assert "EVENT_BUS_SCHEMAS_DIR" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("owner: OrdersService", "owner: [", ["not readable as YAML"]),
        ("owner: OrdersService", "owner: A\nowner: B", ["'owner' occurs twice"]),
        ("owner: OrdersService", "ownr: A", ["unknown keys ownr"]),
        ("owner: OrdersService\n", "", ["needs owner"]),
        ("domain: orders", "domain: order", ["must be the folder's name 'orders'"]),
        ("owner:", "topic: orders\nowner:", ["must be 'events.orders'"]),
        ("owner:", "partitions: 0\nowner:", ["partitions is 0"]),
        ("owner:", "compatibility: BACKWARDS\nowner:", ["compatibility", "BACKWARD_TRANSITIVE"]),
        ("owner:", "compatibility: [BACKWARD]\nowner:", ["compatibility is ['BACKWARD']"]),
        ("owner:", "sourceModule: [orders]\nowner:", ["sourceModule is ['orders']"]),
        ("aggregate: order", "agregate: order", ["'order.paid'", "unknown keys agregate"]),
        ("aggregate: order\n", "aggregate:\n", ["needs aggregate"]),
        ("order.paid:", "order paid:", ["not an event type"]),
        ("1: active", "one: active", ["version 'one'"]),
        ("1: active", "1: live", ["'live'", "active"]),
        ("1: active", "1: {state: active}", ["version 1 is {'state': 'active'}"]),
        ("1: active", "1: active, 2: deprecated", ["version 2", "order.paid.v2.avsc is missing"]),
        ("[timeline, billing]", "timeline", ["must be a list"]),
        ("[timeline, billing]", "[Time Line]", ["'Time Line' is not a group name"]),
        ("[timeline, billing]", "[a.b]", ["'a.b' is not a group name"]),
        ("[timeline, billing]", "[a, a]", ["listed twice"]),
    ],
)
def test_a_bad_domain_file_is_refused_with_its_name(
    folder: Path, old: str, new: str, words: list[str]
) -> None:
    rewrite(folder, old, new)

    message = refusal(folder)

    assert "domain.yaml" in message
    assert all(word in message for word in words), message


def test_two_active_versions_are_refused(folder: Path) -> None:
    rewrite(folder, "1: active", "1: active, 2: active")
    (folder / "orders" / "order.paid.v2.avsc").write_text(json.dumps(avsc()))

    assert "2 active versions, [1, 2]" in refusal(folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not readable as JSON"),
        ('"string"', "must be a record"),
        (json.dumps(avsc(name="OrderPayed")), "must be 'relay.events.orders.OrderPaid'"),
        (json.dumps(avsc(namespace="orders")), "must be 'relay.events.orders.OrderPaid'"),
        (json.dumps({**avsc(), "name": 1}), "must be 'relay.events.orders.OrderPaid'"),
        (json.dumps({**avsc(), "aliases": 1}), "$.aliases: 1 is not a list of names"),
        (
            json.dumps({**avsc(), "fields": [{"name": "a", "type": "int", "aliases": "b"}]}),
            '$.fields[0].aliases: "b" is not a list of names',
        ),
        (
            json.dumps(
                {
                    **avsc(),
                    "fields": [
                        {"name": "a", "type": {"type": "enum", "name": "E", "symbols": [["A"]]}}
                    ],
                }
            ),
            '$.fields[0].type.symbols[0]: ["A"] is not a name',
        ),
        (
            json.dumps({**avsc(), "fields": [{"name": "a", "type": "text"}]}),
            '$.fields[0].type: the type "text" is not known',
        ),
        (
            json.dumps({**avsc(), "fields": [{"name": "a", "type": "int", "default": "x"}]}),
            'a is "x", which is not a value of int',
        ),
    ],
)
def test_a_bad_schema_is_refused_with_its_file(folder: Path, text: str, words: str) -> None:
    (folder / "orders" / "order.paid.v1.avsc").write_text(text)

    message = refusal(folder)

    assert "order.paid.v1.avsc" in message
    assert words in message


def with_field(**field: Any) -> str:
    return json.dumps({**avsc(), "fields": [{"name": "a", "type": "int", **field}]})


@pytest.mark.parametrize("name", ["$id", "1st", "a b", "a-b", "", "a.b", "\u00b2"])
def test_a_name_that_nothing_could_be_generated_for_is_refused_with_its_place(
    folder: Path, name: str
) -> None:
    file = folder / "orders" / "order.paid.v1.avsc"
    enum = {"type": "enum", "name": "State", "symbols": ["NEW", name]}
    for text, place in (
        (with_field(name=name), "$.fields[0].name"),
        (with_field(type=enum), "$.fields[0].type.symbols[1]"),
    ):
        file.write_text(text)
        assert refusal(folder).startswith(
            f"{file}: {place}: {json.dumps(name, ensure_ascii=False)}"
        )


@pytest.mark.parametrize(
    ("type_", "default"),
    [
        ({"type": "string", "logicalType": "uuid"}, ""),
        ({"type": "int", "logicalType": "date"}, 3_000_000),
        ({"type": "long", "logicalType": "timestamp-millis"}, 2**62),
        ({"type": "int", "logicalType": "time-millis"}, -1),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, "B"),
        ({"type": "fixed", "name": "F", "size": 2}, "x"),
    ],
)
def test_a_default_that_no_event_could_have_is_refused_with_its_field(
    folder: Path, type_: Any, default: Any
) -> None:
    file = folder / "orders" / "order.paid.v1.avsc"
    line = {"type": "record", "name": "L", "fields": [{"name": "b", "type": type_}]}
    line["fields"][0]["default"] = default
    file.write_text(with_field(type={"type": "array", "items": line}))

    assert refusal(folder).startswith(f"{file}: $.a[*].b: ")


def test_a_schema_may_have_comments_which_registries_do_not_get(folder: Path) -> None:
    text = json.dumps({**avsc(), "doc": "see https://example.org"})
    (folder / "orders" / "order.paid.v1.avsc").write_text(
        f"\ufeff// the owner is orders\n{text[:-1]} /* end */ }}", "utf-8"
    )

    version = Catalog.load(folder).active("order.paid")

    assert version.avsc == json.loads(text) == json.loads(version.text)


def test_a_schema_file_that_no_version_lists_is_refused(folder: Path) -> None:
    (folder / "orders" / "order.payed.v1.avsc").write_text(json.dumps(avsc()))

    assert "order.payed.v1.avsc: no version" in refusal(folder)


def test_an_event_type_lives_in_one_domain(folder: Path) -> None:
    (folder / "sales").mkdir()
    text = ORDERS.replace("domain: orders", "domain: sales")
    (folder / "sales" / "domain.yaml").write_text(text)
    schema = avsc(namespace="relay.events.sales")
    (folder / "sales" / "order.paid.v1.avsc").write_text(json.dumps(schema))

    assert "'order.paid' is already in" in refusal(folder)


def test_event_types_whose_classes_would_have_one_name_are_refused(folder: Path) -> None:
    rewrite(
        folder,
        "  order.paid:",
        "  OrderPaid: {aggregate: order, versions: {1: active}}\n  order.paid:",
    )
    (folder / "orders" / "OrderPaid.v1.avsc").write_text(json.dumps(avsc()))

    assert "both become the class OrderPaid" in refusal(folder)


def test_the_shipped_catalog_has_every_event_of_the_published_table() -> None:
    catalog = Catalog.load(SHIPPED)

    assert len(catalog.event_types) == 25
    assert {name: sorted(domain.event_types) for name, domain in catalog.domains.items()}[
        "orders"
    ] == [
        "order.checkout_expired",
        "order.checkout_sent",
        "order.created",
        "order.paid",
        "order.payment_failed",
        "order.payment_processing",
    ]
    assert catalog.event_type("order.paid").groups == ("fulfillment", "billing", "timeline")
    assert all(event_type.active for event_type in catalog.event_types.values())


def test_money_of_the_shipped_catalog_has_a_currency() -> None:
    for version in Catalog.load(SHIPPED).versions():
        fields = {field["name"] for field in version.avsc["fields"]}
        if '"decimal"' in version.text:
            assert "currency" in fields, version.path


def test_every_field_and_event_of_the_shipped_catalog_is_described() -> None:
    for version in Catalog.load(SHIPPED).versions():
        assert version.avsc["doc"], version.path
        for field in version.avsc["fields"]:
            assert field["doc"].endswith("."), (version.path, field["name"])
