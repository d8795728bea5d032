"""The digest tells apart what a fingerprint does not and readers do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from relay.errors import CatalogInvalid
from relay.schema.avro.fingerprint import logical_digest, rabin
from tests.unit.avro_cases import schemas


def record(*types: Any, **more: Any) -> dict[str, Any]:
    """A record with a field of each type."""
    fields = [{"name": f"field{number}", "type": each} for number, each in enumerate(types)]
    return {"type": "record", "name": "Paid", "namespace": "shop", "fields": fields, **more}


def decimal(precision: int, scale: int | None = None, **more: Any) -> dict[str, Any]:
    scaled = {} if scale is None else {"scale": scale}
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, **scaled, **more}


MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
MICROS = {"type": "long", "logicalType": "timestamp-micros"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (decimal(12, 2), decimal(12, 3)),
        (decimal(12, 2), decimal(14, 2)),
        (decimal(12), decimal(12, 2)),
        (decimal(12, 2), "bytes"),
        (MILLIS, MICROS),
        (["null", MILLIS], ["null", MICROS]),
        ({"type": "array", "items": MILLIS}, {"type": "array", "items": MICROS}),
        ({"type": "map", "values": MILLIS}, {"type": "map", "values": MICROS}),
        (record(MILLIS, name="Inner"), record(MICROS, name="Inner")),
        ({"type": "long", "logicalType": "cents"}, {"type": "long", "logicalType": "euros"}),
    ],
)
def test_a_logical_type_anywhere_makes_another_digest_with_the_same_fingerprint(
    one: Any, other: Any
) -> None:
    assert rabin(record("string", one)) == rabin(record("string", other))
    assert logical_digest(record("string", one)) != logical_digest(record("string", other))


def test_logical_types_that_change_places_make_another_digest() -> None:
    assert logical_digest(record(MILLIS, MICROS)) != logical_digest(record(MICROS, MILLIS))
    assert logical_digest(record(["null", "long"], MILLIS)) != logical_digest(
        record(["null", MILLIS], "long")
    )


def test_another_form_makes_another_digest() -> None:
    assert logical_digest(record("int")) != logical_digest(record("long"))


def test_docs_defaults_aliases_and_notation_are_not_part_of_it() -> None:
    plain = record(decimal(12), "string")
    rich = {
        "fields": [
            {"name": "field0", "type": decimal(12, 0, owner="billing"), "doc": "amount"},
            {"type": {"type": "string"}, "name": "field1", "default": "", "order": "ignore"},
        ],
        "doc": "paid",
        "aliases": ["Payed"],
        "name": "shop.Paid",
        "type": "record",
    }
    assert logical_digest(plain) == logical_digest(rich)


def test_a_recursive_schema_has_one() -> None:
    link = {"name": "next", "type": ["null", "Paid"], "default": None}
    one, other = record(MILLIS), record(MICROS)
    one["fields"].append(link)
    other["fields"].append(link)
    assert len(logical_digest(one)) == 32
    assert logical_digest(one) != logical_digest(other)


def test_an_invalid_schema_is_refused() -> None:
    with pytest.raises(CatalogInvalid):
        logical_digest({"type": "record", "name": "Paid"})


@given(schemas())
def test_it_follows_from_the_schema_whatever_the_order_of_its_keys(schema: Any) -> None:
    assert logical_digest(_turned(schema)) == logical_digest(schema)


def _turned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _turned(value[key]) for key in reversed(value)}
    return [_turned(item) for item in value] if isinstance(value, list) else value
