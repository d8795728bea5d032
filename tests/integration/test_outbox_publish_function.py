"""outbox.publish, for services in any language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cuid2 import is_cuid
from psycopg.errors import (
    CheckViolation,
    DatetimeFieldOverflow,
    InvalidParameterValue,
    NullValueNotAllowed,
)

from relay.operate.timeline import read_timeline
from relay.postgres.connect import connect
from relay.schema.avro.decoder import compile_decoder
from relay.schema.avro.encoder import compile_text_encoder
from relay.schema.avro.nodes import PRIMITIVES
from relay.schema.avro.supported import LOGICAL
from relay.schema.catalog import State
from tests.integration.publishing import rows
from tests.integration.reviewing import bring, version


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url) as connection:
        yield connection


def publish(connection: psycopg.Connection[Any], *arguments: Any) -> str:
    places = ", ".join(["%s"] * len(arguments))
    found = connection.execute(f"select outbox.publish({places})", arguments).fetchone()
    assert found is not None
    return str(found[0])


def test_an_event_published_by_sql_is_left_for_the_relay_to_encode(
    database_url: str, connection: psycopg.Connection[Any]
) -> None:
    event_id = publish(connection, "order.noted", "order", "order-1", '{"note": "hi"}')
    connection.commit()
    [row] = rows(database_url)
    assert row["id"] == event_id
    assert is_cuid(event_id)
    assert len(event_id) == 24
    assert row["payload"] == {"note": "hi"}
    assert (row["schema_version"], row["avro"], row["fingerprint"]) == (None, None, None)
    assert row["occurred_at"] == row["created_at"]


def test_metadata_and_time_of_an_event_published_by_sql_are_the_callers(
    database_url: str, connection: psycopg.Connection[Any]
) -> None:
    then = datetime(2026, 1, 1, tzinfo=UTC)
    metadata = '{"actorId": "u1", "correlationId": "c1", "causationId": null}'
    publish(connection, "order.noted", "order", "order-1", "{}", metadata, then)
    own = publish(connection, "order.noted", "order", "order-1", "{}", None, None)
    connection.commit()
    given, defaulted = rows(database_url)
    assert given["metadata"] == {"actorId": "u1", "correlationId": "c1"}
    assert given["occurred_at"] == then
    assert defaulted["metadata"] == {"correlationId": own}


def test_a_rolled_back_savepoint_takes_events_published_by_sql_along(
    database_url: str, connection: psycopg.Connection[Any]
) -> None:
    with connection.transaction():
        publish(connection, "order.noted", "order", "order-1", "{}")
        with connection.transaction(force_rollback=True):
            publish(connection, "order.noted", "order", "order-2", "{}")
    assert [row["aggregate_id"] for row in rows(database_url)] == ["order-1"]


@pytest.mark.parametrize("missing", range(4))
def test_what_an_event_can_not_be_without_is_refused_by_name(
    connection: psycopg.Connection[Any], missing: int
) -> None:
    arguments: list[str | None] = ["order.noted", "order", "order-1", "{}"]
    arguments[missing] = None
    with pytest.raises(NullValueNotAllowed, match=r"outbox\.publish: event_type, aggregate_type"):
        publish(connection, *arguments)


@pytest.mark.parametrize(
    ("payload", "metadata", "kinds"),
    [
        ("[1]", "{}", "array and object"),
        ('"text"', "{}", "string and object"),
        ("null", "{}", "null and object"),
        ("{}", "[]", "object and array"),
    ],
)
def test_payload_and_metadata_that_are_not_objects_are_refused(
    connection: psycopg.Connection[Any], payload: str, metadata: str, kinds: str
) -> None:
    with pytest.raises(InvalidParameterValue, match=f"must be JSON objects, they are {kinds}"):
        connection.execute(
            "select outbox.publish('order.noted', 'order', 'order-1', %s, %s)", (payload, metadata)
        )


@pytest.mark.parametrize(
    ("metadata", "kind"),
    [
        ('{"actorId": 7}', '"actorId" is of type number'),
        ('{"actorId": "anna", "own": {"a": 1}}', "own is of type object"),
        ('{"own": [1e400]}', "own is of type array"),
        ('{"own": true}', "own is of type boolean"),
    ],
)
def test_values_of_metadata_that_are_not_strings_are_refused_by_name_and_type(
    connection: psycopg.Connection[Any], metadata: str, kind: str
) -> None:
    with pytest.raises(InvalidParameterValue, match=f"must be strings, {kind}"):
        publish(connection, "order.noted", "order", "order-1", "{}", metadata)


@pytest.mark.parametrize(
    "occurred_at",
    [
        "infinity",
        "-infinity",
        "20000-01-01",
        "10000-01-01 00:00Z",
        "0044-03-15 BC",
        "0001-01-01 00:00+14",
    ],
)
def test_times_outside_the_years_1_to_9999_are_refused(
    connection: psycopg.Connection[Any], occurred_at: str
) -> None:
    with pytest.raises(DatetimeFieldOverflow, match="occurred_at must lie in the years 1 to 9999"):
        publish(connection, "order.noted", "order", "order-1", "{}", "{}", occurred_at)
    connection.rollback()
    for column in ("occurred_at", "created_at"):
        with pytest.raises(CheckViolation, match=column), connection.transaction():
            connection.execute(
                "insert into outbox.domain_events (event_type, aggregate_type, aggregate_id, "
                f"payload, {column}) values ('order.noted', 'order', 'order-1', '{{}}', %s)",
                (occurred_at,),
            )


def test_the_first_and_the_last_time_that_have_a_year_are_kept(
    database_url: str, connection: psycopg.Connection[Any]
) -> None:
    ends = ("0001-01-01 00:00Z", "9999-12-31 23:59:59.999999Z")
    for occurred_at in ends:
        publish(connection, "order.noted", "order", "order-1", "{}", "{}", occurred_at)
    connection.commit()
    with connect(database_url) as reader:
        found = read_timeline(reader, "order", "order-1").events
    assert [event.occurred_at.replace(tzinfo=UTC) for event in found] == [
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    ]


def test_another_aggregate_type_than_the_event_types_is_refused_with_both_names(
    connection: psycopg.Connection[Any],
) -> None:
    bring(connection, version(1), State.ACTIVE)

    publish(connection, "order.noted", "order", "order-1", "{}")
    for aggregate_type in ("Order", "orders", ""):
        with (
            pytest.raises(
                InvalidParameterValue,
                match=f"type order.noted belong to aggregate type order, not {aggregate_type}\n",
            ),
            connection.transaction(),
        ):
            publish(connection, "order.noted", aggregate_type, "order-1", "{}")


@pytest.mark.parametrize("event_id", ["", "i" * 256])
def test_an_id_that_is_empty_or_too_long_is_refused(
    connection: psycopg.Connection[Any], event_id: str
) -> None:
    with pytest.raises(CheckViolation, match="domain_events_id_check"):
        connection.execute(
            "insert into outbox.domain_events (id, event_type, aggregate_type, aggregate_id, "
            "payload) values (%s, 'order.noted', 'order', 'order-1', '{}')",
            (event_id,),
        )


@pytest.mark.parametrize("aggregate_id", ["", "a" * 1025])
def test_a_key_that_is_empty_or_too_long_is_refused(
    connection: psycopg.Connection[Any], aggregate_id: str
) -> None:
    with pytest.raises(CheckViolation, match="aggregate_id"):
        publish(connection, "order.noted", "order", aggregate_id, "{}")


DOCS = Path(__file__).parents[2] / "docs" / "publishing.md"
TYPES: dict[str, Any] = {
    "decimal": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2},
    "fixed": {"type": "fixed", "name": "F", "size": 4},
    "enum": {"type": "enum", "name": "E", "symbols": ["CASH", "CARD"]},
    "uuid": {"type": "string", "logicalType": "uuid"},
    "date": {"type": "int", "logicalType": "date"},
    "time-millis": {"type": "int", "logicalType": "time-millis"},
    "array": {"type": "array", "items": "string"},
    "map": {"type": "map", "values": "string"},
}


def expressions() -> list[tuple[str, str]]:
    """Types of fields and the expressions for them, as the guide has them."""
    table = DOCS.read_text("utf-8").partition("| type of the field | expression |")[2]
    lines = [line.split("|") for line in table.partition("\n\n")[0].splitlines() if "`" in line]
    return [
        (name, expression)
        for _, types, words, _ in lines
        for name in re.findall("`([^`]+)`", types)
        for expression in re.findall("`([^`]+)`", words)
    ]


def test_the_guides_expression_for_each_type_fits_it(
    connection: psycopg.Connection[Any],
) -> None:
    connection.execute("set time zone 'Europe/Amsterdam'")
    found = expressions()
    assert {name for name, _ in found} >= {*PRIMITIVES, *(form for _, form in LOGICAL), *TYPES}
    for name, expression in found:
        times = {"type": "long", "logicalType": name} if "-" in name else name
        schema = {
            "type": "record",
            "name": "Noted",
            "fields": [{"name": "x", "type": TYPES.get(name, times)}],
        }
        row = connection.execute(f"select jsonb_build_object('x', {expression})::text").fetchone()
        assert row is not None
        assert compile_text_encoder(schema)(row[0]) is not None, (name, row[0])


def test_postgresqls_times_fit_whatever_the_zone_and_year(
    connection: psycopg.Connection[Any],
) -> None:
    schema = {"type": "long", "logicalType": "timestamp-millis"}
    encode, decode = compile_text_encoder(schema), compile_decoder(schema)
    for zone in ("UTC", "Europe/Amsterdam", "Asia/Kolkata", "America/St_Johns"):
        connection.execute(f"set time zone '{zone}'")
        for time in ("1885-01-31 12:00:00.123456+00", "2026-07-31 12:00:00.123456+00"):
            row = connection.execute(
                "select to_jsonb(at)::text, to_jsonb(at::text)::text "
                "from cast(%s as timestamptz) as at",
                [time],
            ).fetchone()
            assert row is not None
            instants = [decode(encode(text)) for text in row]
            assert instants == [f"{time[:10]}T12:00:00.123Z"] * 2
