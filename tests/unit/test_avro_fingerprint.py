"""Parsing Canonical Form and fingerprints; the oracle compares the form with Java's."""

from __future__ import annotations

from typing import Any

import pytest

from relay.errors import CatalogInvalid
from relay.schema.avro.fingerprint import canonical_form, rabin, sha256


@pytest.mark.parametrize(
    ("schema", "fingerprint"),
    [
        # CRC-64-AVRO of the primitive types, from the test data of Apache Avro.
        ("null", "63dd24e7cc258f8a"),
        ("int", "7275d51a3f395c8f"),
        ("string", "8f014872634503c7"),
        ("boolean", "9f42fc78a4d4f764"),
    ],
)
def test_the_fingerprint_is_crc_64_avro_most_significant_byte_first(
    schema: str, fingerprint: str
) -> None:
    assert rabin(schema).hex() == fingerprint


def test_docs_defaults_aliases_and_logical_types_are_not_part_of_the_form() -> None:
    plain: dict[str, Any] = {
        "type": "record",
        "name": "Paid",
        "namespace": "shop",
        "fields": [{"name": "at", "type": "long"}],
    }
    rich = {
        "namespace": "shop",
        "doc": "paid",
        "aliases": ["Payed"],
        "name": "Paid",
        "type": "record",
        "fields": [
            {
                "doc": "when",
                "default": 0,
                "type": {"logicalType": "timestamp-micros", "type": "long"},
                "name": "at",
            }
        ],
    }

    assert canonical_form(rich) == canonical_form(plain)
    assert rabin(rich) == rabin(plain)
    assert sha256(rich) == sha256(plain)


def test_names_are_written_in_full() -> None:
    schema = {
        "type": "record",
        "name": "A",
        "namespace": "x.y",
        "fields": [
            {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A"]}},
            {"name": "f", "type": "E"},
            {"name": "a", "type": ["null", "A"]},
        ],
    }

    assert canonical_form(schema) == (
        '{"name":"x.y.A","type":"record","fields":['
        '{"name":"e","type":{"name":"x.y.E","type":"enum","symbols":["A"]}},'
        '{"name":"f","type":"x.y.E"},{"name":"a","type":["null","x.y.A"]}]}'
    )


def test_swapped_fields_have_another_fingerprint() -> None:
    one, other = (
        {"type": "record", "name": "R", "fields": [{"name": n, "type": "string"} for n in names]}
        for names in ("ab", "ba")
    )

    assert rabin(one) != rabin(other)


@pytest.mark.parametrize(
    "schema",
    ["nonsense", {"type": "record"}, {"type": "array"}, {"name": "x"}, 3],
)
def test_an_invalid_schema_is_refused(schema: Any) -> None:
    with pytest.raises(CatalogInvalid):
        rabin(schema)
