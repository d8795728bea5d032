"""Attributes that are not Avro's, which reviews read from the nodes of a schema."""

from __future__ import annotations

from typing import Any

import pytest

from relay.errors import CatalogInvalid
from relay.schema.avro.decoder import compile_decoder
from relay.schema.avro.encoder import compile_encoder
from relay.schema.avro.fingerprint import rabin
from relay.schema.avro.parse import read_schema
from relay.schema.checks.diff import diff
from relay.schema.checks.lint_schema import lint
from relay.schema.checks.probe import probe


def paid(type_: Any, **rest: Any) -> dict[str, Any]:
    fields = [{"name": "x", "type": type_, **rest}]
    return {"type": "record", "name": "Paid", "fields": fields}


def colour(symbols: Any, **rest: Any) -> dict[str, Any]:
    return paid({"type": "enum", "name": "Colour", "symbols": symbols, **rest})


def nested(levels: int) -> Any:
    of: Any = "int"
    for number in range(levels):
        of = {**paid(of), "name": f"Level{number}"}
    return of


def test_fields_and_types_keep_attributes_that_are_not_avros() -> None:
    root = read_schema(
        {
            "type": "record",
            "name": "Paid",
            "doc": "Paid.",
            "owner": "orders",
            "fields": [
                {"name": "email", "type": "string", "doc": "Whose.", "default": "", "pii": True},
                {"name": "tags", "type": {"type": "array", "items": "int", "java-class": "Set"}},
            ],
        }
    )

    email, tags = root.fields
    assert root.properties == {"owner": "orders"}
    assert email.properties == {"pii": True}
    assert tags.node.properties == {"java-class": "Set"}


def test_a_logical_type_is_an_attribute_only_where_it_is_not_supported() -> None:
    known = read_schema({"type": "long", "logicalType": "timestamp-micros"})
    unknown = read_schema({"type": "string", "logicalType": "iso-country"})

    assert (known.form, known.properties) == ("timestamp-micros", {})
    assert (unknown.form, unknown.properties) == ("string", {"logicalType": "iso-country"})


def test_fields_sort_ascending_unless_they_say_otherwise() -> None:
    fields = [{"name": "a", "type": "int"}, {"name": "b", "type": "int", "order": "ignore"}]
    root = read_schema({"type": "record", "name": "Paid", "fields": fields})

    assert [field.order for field in root.fields] == ["ascending", "ignore"]


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        (paid("int", aliases=None), r"\$\.fields\[0\]\.aliases: null is not a list of names"),
        (paid("int", aliases="old"), r'aliases: "old" is not a list'),
        (paid("int", aliases=[5]), r"aliases: \[5\] is not a list"),
        ({**paid("int"), "aliases": "Old"}, r'\$\.aliases: "Old" is not a list'),
        ({**paid("int"), "aliases": [1]}, r"\$\.aliases: \[1\] is not a list"),
        ({**paid("int"), "namespace": 5}, r"namespace: 5 is not a string"),
        (colour([["RED"]]), r'symbols\[0\]: \["RED"\] is not a name'),
        (colour([1, 2]), r"symbols\[0\]: 1 is not a name"),
        (colour(["RED"], default="BLUE"), 'default: "BLUE" is not one of the symbols'),
        (colour(["RED"], default=["RED"]), "is not one of the symbols"),
        (paid({"type": "bytes", "logicalType": "decimal", "precision": 10**9}), "10,000 digits"),
        (nested(101), "more than 100 levels"),
        (nested(900), "nested too deeply"),
    ],
)
def test_every_reader_refuses_an_invalid_schema_with_its_place(schema: Any, problem: str) -> None:
    for read in (read_schema, compile_encoder, compile_decoder, lint, lambda it: diff(it, it)):
        with pytest.raises(CatalogInvalid, match=problem if read is read_schema else None):
            read(schema)


@pytest.mark.parametrize("doc", [None, 5, ["a"]])
def test_a_doc_that_is_not_a_string_is_ignored_as_avros_parsers_do(doc: Any) -> None:
    rules = {finding.rule for finding in lint({**paid("int", doc=doc), "doc": doc})}

    assert rules == {"missing-doc"}


def test_a_logical_type_that_is_not_a_string_is_ignored() -> None:
    node = read_schema({"type": "long", "logicalType": ["timestamp-micros"]})

    assert (node.form, node.properties) == ("long", {"logicalType": ["timestamp-micros"]})


def test_a_schema_that_is_nested_too_deeply_has_no_fingerprint() -> None:
    with pytest.raises(CatalogInvalid, match="Nest its types less"):
        rabin(nested(900))


def test_a_schema_with_an_invalid_symbol_has_no_decoder() -> None:
    with pytest.raises(CatalogInvalid, match='"a b" is not a name'):
        compile_decoder(colour(["a b"]))


def test_an_endless_default_is_refused() -> None:
    link = {**paid("Link", default={}), "name": "Link"}

    with pytest.raises(CatalogInvalid, match="is endless"):
        compile_encoder(paid(link, default={}))


def test_a_fixed_too_large_for_a_record_is_not_probed() -> None:
    schema = paid({"type": "fixed", "name": "Huge", "size": 2**30})

    assert {failure.outcome.value for failure in probe(schema, schema)} == {"not-probed"}
