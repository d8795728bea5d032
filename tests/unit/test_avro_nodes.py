"""Attributes that are not Avro's, which reviews read from the nodes of a schema."""

from __future__ import annotations

from relay.avro.nodes import read_schema


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


def test_a_logical_type_is_an_attribute_only_where_it_is_not_understood() -> None:
    known = read_schema({"type": "long", "logicalType": "timestamp-micros"})
    unknown = read_schema({"type": "string", "logicalType": "iso-country"})

    assert (known.form, known.properties) == ("timestamp-micros", {})
    assert (unknown.form, unknown.properties) == ("string", {"logicalType": "iso-country"})


def test_fields_sort_ascending_unless_they_say_otherwise() -> None:
    fields = [{"name": "a", "type": "int"}, {"name": "b", "type": "int", "order": "ignore"}]
    root = read_schema({"type": "record", "name": "Paid", "fields": fields})

    assert [field.order for field in root.fields] == ["ascending", "ignore"]
