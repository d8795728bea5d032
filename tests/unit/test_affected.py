"""Who reads which version, and when a version may go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from relay.schema.approvals.affected import (
    Decoded,
    GroupReading,
    Text,
    affected,
    schema_digest,
    still_read,
)

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
ONE, TWO = Text(1, b"fingerp1", b"digest-1"), Text(2, b"fingerp2", b"digest-2")
# Differs from TWO by a logical type alone, which no fingerprint tells.
THREE = Text(3, b"fingerp2", b"digest-3")


def read(group: str, text: Text, days_ago: float = 0, schema_id: int = 7) -> Decoded:
    at = NOW - timedelta(days=days_ago)
    return Decoded(group, schema_id, text.fingerprint, text.digest, at)


def versions(readings: list[GroupReading]) -> list[tuple[str, bool, int | None, int | None]]:
    return [(r.group, r.listed, r.version, r.lag) for r in readings]


def test_groups_of_the_catalog_and_groups_that_decoded_something_are_listed() -> None:
    found = affected(
        ["billing", "timeline"],
        [ONE, TWO],
        [read("billing", ONE, 9), read("billing", TWO, 0, 8), read("stranger", TWO, 0, 8)],
        {"billing": 0, "timeline": 12, "stranger": 3},
    )
    assert versions(found) == [
        ("billing", True, 1, 0),
        ("billing", True, 2, 0),
        ("stranger", False, 2, 3),
        ("timeline", True, None, 12),
    ]


def test_versions_with_one_fingerprint_are_distinguished_by_their_json() -> None:
    found = affected([], [ONE, TWO, THREE], [read("billing", THREE)], {})
    assert [reading.version for reading in found] == [3]


def test_json_that_a_registry_rewrote_counts_for_each_version_with_its_fingerprint() -> None:
    rewritten = Text(2, b"fingerp2", b"rewritten")
    found = affected([], [ONE, TWO, THREE], [read("billing", rewritten)], {})
    assert [reading.version for reading in found] == [2, 3]


def test_a_schema_that_is_none_of_the_versions_is_shown_by_its_id() -> None:
    foreign = Text(9, b"foreign1", b"foreign")
    (reading,) = affected(["billing"], [ONE], [read("billing", foreign)], {"billing": 0})
    assert (reading.version, reading.schema_id) == (None, 7)


def test_of_several_ids_of_one_version_the_last_decode_counts() -> None:
    (reading,) = affected([], [ONE], [read("billing", ONE, 3, 5), read("billing", ONE, 1, 6)], {})
    assert reading.last_decoded_at == NOW - timedelta(days=1)


def test_a_version_is_read_while_a_group_has_lag_or_decoded_it_lately() -> None:
    readings = affected(
        ["billing", "timeline"],
        [ONE, TWO],
        [read("billing", ONE, 6), read("ops", ONE, 8), read("support", TWO, 0)],
        {"billing": 0, "timeline": 4, "ops": 0, "support": 0},
    )
    assert still_read(readings, 1, NOW, WEEK) == [
        "billing decoded version 1 at 2026-05-14T12:00:00+00:00",
        "timeline has 4 records to read",
    ]
    assert still_read(readings, 1, NOW, timedelta(days=6)) == ["timeline has 4 records to read"]


def test_the_lag_of_a_group_that_has_gone_holds_nothing_up() -> None:
    records = [read("gone", ONE, 8), read("here", ONE, 8), read("here", TWO, 6, 8)]
    lags = {"gone": 5, "here": 3, "listed": 2}
    readings = affected(["listed"], [ONE, TWO], [*records, read("listed", ONE, 30)], lags)
    assert still_read(readings, 1, NOW, WEEK) == [
        "here has 3 records to read",
        "listed has 2 records to read",
    ]
    # One that has gone lately may come back.
    assert [line.split()[0] for line in still_read(readings, 1, NOW, timedelta(days=9))] == [
        "gone",
        "here",
        "listed",
    ]


def test_a_group_is_named_once_with_all_its_reasons() -> None:
    readings = affected(["a"], [ONE, TWO], [read("a", ONE), read("a", TWO, 0, 8)], {"a": 2})
    assert still_read(readings, 1, NOW, WEEK) == [
        "a has 2 records to read and decoded version 1 at 2026-05-20T12:00:00+00:00"
    ]


def test_a_digest_tells_logical_types_apart_and_not_the_order_of_keys() -> None:
    plain = {"type": "record", "name": "A", "fields": []}
    turned = {"fields": [], "name": "A", "type": "record"}
    assert schema_digest(plain) == schema_digest(turned)
    cents = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
    assert schema_digest(cents) != schema_digest({**cents, "scale": 4})
