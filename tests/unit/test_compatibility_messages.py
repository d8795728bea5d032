"""What the registry says of a schema that may not follow: all that is needed to fix it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from relay.schema.avro.nodes import Node
from relay.schema.avro.parse import parse
from relay.schema.compatibility.levels import Level, problems


def schema(**fields: Any) -> Node:
    entries = [{"name": name, "type": kind} for name, kind in fields.items()]
    return parse(json.dumps({"type": "record", "name": "Order", "fields": entries}))


def test_a_message_names_version_direction_path_rule_both_sides_and_the_fix() -> None:
    old, new = schema(amount="long"), schema(amount="int")

    assert problems(Level.BACKWARD, new, [(3, old)]) == [
        "the new schema can't read version 3: TYPE_MISMATCH at $.fields[0].type (amount): "
        "the types are the same, or the writer's is promoted to the reader's. "
        "The new schema has int; version 3 has long. "
        "Make it long or float or double, or a union with long in it."
    ]


def test_the_fix_is_one_of_the_new_schema_also_where_the_old_one_reads() -> None:
    old, new = schema(amount="int"), schema(amount="long")

    assert problems(Level.FORWARD, new, [(3, old)]) == [
        "version 3 can't read the new schema: TYPE_MISMATCH at $.fields[0].type (amount): "
        "the types are the same, or the writer's is promoted to the reader's. "
        "Version 3 has int; the new schema has long. Make it int."
    ]


@pytest.mark.parametrize(
    ("level", "starts"),
    [
        (Level.NONE, []),
        (Level.BACKWARD, ["the new schema can't read version 2"]),
        (Level.FORWARD, ["version 2 can't read the new schema"]),
        (
            Level.FULL_TRANSITIVE,
            [
                "the new schema can't read version 1",
                "version 1 can't read the new schema",
                "the new schema can't read version 2",
                "version 2 can't read the new schema",
            ],
        ),
    ],
)
def test_messages_come_by_version_and_direction(level: Level, starts: list[str]) -> None:
    earlier = [(1, schema(a="boolean")), (2, schema(a="null"))]

    messages = problems(level, schema(a="int"), earlier)

    assert [message.split(":")[0] for message in messages] == starts


def test_a_message_about_a_union_explains_the_nearest_branch() -> None:
    def line(kind: str) -> Any:
        entry = {"name": "price", "type": kind}
        return ["null", {"type": "record", "name": "Line", "fields": [entry]}]

    [message] = problems(
        Level.BACKWARD, schema(line=line("string")), [(1, schema(line=line("int")))]
    )

    assert message.endswith(
        "Fix the record Line in the union. The branch fails with TYPE_MISMATCH at "
        "$.fields[0].type[1].fields[0].type (line.price): string for int. "
        "Make it int or long or float or double, or a union with int in it."
    )
