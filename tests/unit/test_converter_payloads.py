"""What a converter between major versions is given, and that its check tries all of that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from relay.errors import CatalogInvalid, PayloadInvalid
from relay.schema.avro.encoder import compile_encoder
from relay.schema.catalog import Catalog
from relay.schema.checks.conversion import Converted, check_converter
from relay.schema.majors.converters import payload_decoder, reads
from tests.integration.majors import CONVERTER, add_major, add_version
from tests.relaying import SCHEMA_FIELDS, add_event_type, create_domain

UNIT = {"name": "unit", "type": "string"}


def record(*names: str, **defaults: str) -> dict[str, Any]:
    fields: list[dict[str, Any]] = [{"name": name, "type": "string"} for name in names]
    fields += [{"name": n, "type": "string", "default": value} for n, value in defaults.items()]
    return {"type": "record", "name": "Counted", "fields": fields}


def test_a_payload_has_the_shape_of_the_current_version() -> None:
    writer, current = record("note", "gone"), record("note", unit="piece")
    encoded = compile_encoder(writer)({"note": "x", "gone": "y"})
    assert payload_decoder(writer, current)(encoded) == {"note": "x", "unit": "piece"}


def test_what_the_current_version_can_t_read_keeps_its_own_shape() -> None:
    writer, current = record("note"), record("note", "unit")
    encoded = compile_encoder(writer)({"note": "x"})
    assert not reads(current, writer)
    assert payload_decoder(writer, current)(encoded) == {"note": "x"}
    with pytest.raises(PayloadInvalid):
        payload_decoder(writer, current)(encoded + b"\0")


def test_a_standing_schema_is_read_whatever_its_defaults_are() -> None:
    standing = {**record("note"), "fields": [{"name": "note", "type": "string", "default": 1}]}
    assert reads(record("note"), standing)
    with pytest.raises(CatalogInvalid, match="no list of 'fields'"):
        reads(record("note"), {"type": "record", "name": "Counted"})


def checked(folder: Path, converter: str) -> Converted:
    create_domain(folder, "counting", 4)
    add_event_type(folder, "counting", "counted", SCHEMA_FIELDS)
    add_version(folder, "counting", UNIT)
    add_major(folder, "counting", converter)
    catalog = Catalog.load(folder)
    return check_converter(catalog, catalog.event_type("counted.v2"))


def test_values_of_a_version_that_the_newest_can_t_read_are_tried_as_they_were_written(
    tmp_path: Path,
) -> None:
    found = checked(tmp_path, converter('payload["unit"]'))
    assert not found.passed
    assert {(f.function, f.version, f.path) for f in found.failures} == {("up", 1, "$")}
    assert "KeyError('unit')" in found.failures[0].sentence
    assert found.failures[0].sentence.endswith("of version 1")


def test_a_converter_that_takes_both_shapes_passes(tmp_path: Path) -> None:
    assert checked(tmp_path, converter('payload.get("unit", "piece")')).passed


def converter(unit: str) -> str:
    """Takes the unit of counted for the label of counted.v2."""
    up, down = CONVERTER.split("def down")
    body = f'    return {{"count": payload["number"], "label": {unit}}}\n\n\n'
    assert "return {" in up
    return f"def up(payload):\n{body}def down" + down.replace(
        '"note": payload["label"]', '"note": "", "unit": payload["label"]'
    )
