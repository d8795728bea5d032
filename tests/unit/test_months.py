"""Months of a partitioned outbox and their numbers, and what the schema looks like for one."""

from __future__ import annotations

from collections import Counter
from importlib.resources import files

from hypothesis import given
from hypothesis import strategies as st

from relay.operate.prune.report import Part
from relay.postgres.partitions import Month, with_partitions


@given(st.integers(2000, 2700), st.integers(1, 12))
def test_a_months_numbers_are_its_own_and_in_the_order_of_months(year: int, month: int) -> None:
    this = Month.of(year, month)
    assert str(this) == f"{year}-{month:02d}"
    assert Month.of_seq(this.start) == Month.of_seq(this.after.start - 1) == this
    assert this < this.after == Month.of_seq(this.after.start)
    # Clients that read numbers as doubles read them exactly.
    assert this.after.start <= 2**53


def test_a_partition_is_named_by_its_month() -> None:
    assert Month.of(2026, 9).table("deliveries") == "deliveries_2026_09"
    assert str(Month.of(2026, 12).after) == "2027-01"


def test_the_partitioned_schema_differs_in_keys_and_partitions_only() -> None:
    plain = files("relay.postgres").joinpath("schema.sql").read_text().splitlines()
    partitioned = with_partitions("\n".join(plain)).splitlines()
    changed = [new for old, new in zip(plain, partitioned, strict=True) if old != new]
    assert [line.strip() for line in changed] == [
        "",
        ") partition by range (seq)",
        "create index domain_events_id on outbox.domain_events (id);",
        ") partition by range (seq)",
    ]


def test_a_line_says_what_goes_and_what_stays_and_why() -> None:
    stays = Counter({"held": 3, "dead": 1, "it is written to": 0})
    assert Part("partition 2026-09", 4120388, gone=True).line() == (
        "partition 2026-09: goes with 4,120,388 events"
    )
    assert Part("partition 2026-10", 0, stays=stays).line() == (
        "partition 2026-10: stays: 3 held, 1 dead, it is written to"
    )
    assert Part("events", 12, stays=Counter({"held": 3})).line() == "events: 12 go; stays: 3 held"
    assert Part("inbox rows").line() == "inbox rows: nothing to delete"
