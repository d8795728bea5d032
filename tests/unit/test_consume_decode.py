"""Records that are nobody's events are passed over, whatever they were written with."""

from __future__ import annotations

from typing import Any

import pytest

from relay.consume import Group
from relay.consume.decode import Decoder
from relay.consume.majors import Majors
from relay.consume.record import Record


class Registry:
    """Has one schema under every id."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema

    def schema(self, schema_id: int) -> Any:  # noqa: ARG002
        return self._schema


@pytest.mark.parametrize(
    "schema", ["string", ["null", "string"], {"type": "map", "values": "int"}, {"type": "string"}]
)
def test_a_record_without_type_that_was_written_with_no_records_schema_is_passed_over(
    schema: Any,
) -> None:
    record = Record.read("events.orders", 0, 0, key=b"a", value=bytes(6), headers=())
    assert Decoder(Registry(schema), Majors(set(), {})).decode(record, Group("billing")) is None
