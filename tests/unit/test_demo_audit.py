"""The demo's own comparison sees each way in which topics and outbox may differ."""

from __future__ import annotations

from dataclasses import replace

import pytest

from examples.shop.demo.audit import Audit, Row, SeenRecord, compare
from examples.shop.demo.plan import FOR_GOOD, faults, journeys
from examples.shop.orders import NewOrder

ROWS = [Row(f"e{n}", n, "order-1", "t", 0, n) for n in range(1, 5)]
RECORDS = [SeenRecord("t", 0, n, "order-1", f"e{n}") for n in range(1, 5)]
IDS = [row.event_id for row in ROWS]


def test_agreement_is_all_zero() -> None:
    assert compare(ROWS, RECORDS, committed=IDS, rolled_back=["gone"]) == Audit()


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (RECORDS[1:], Audit(lost=1)),
        ([*RECORDS, RECORDS[3]._replace(offset=9)], Audit(duplicated=1)),
        ([*RECORDS, SeenRecord("t", 0, 9, "order-1", "never")], Audit(phantom=1)),
        ([*RECORDS, SeenRecord("t", 0, 9, "order-1", "gone")], Audit(phantom=1, revived=1)),
        ([*RECORDS[:3], RECORDS[3]._replace(partition=1)], Audit(wrong_flags=1)),
        ([RECORDS[0], RECORDS[2], RECORDS[1], RECORDS[3]], Audit(out_of_order=1)),
    ],
)
def test_each_difference_is_counted_as_what_it_is(
    records: list[SeenRecord], expected: Audit
) -> None:
    found = compare(ROWS, records, committed=IDS, rolled_back=["gone"])
    assert found == expected
    assert found.problems()


def test_a_committed_event_without_a_row_is_forgotten() -> None:
    found = compare(ROWS, RECORDS, committed=[*IDS, "e5"], rolled_back=[])
    assert found == replace(Audit(), forgotten=1)


def test_aggregates_do_not_wait_for_each_other() -> None:
    rows = [Row("a", 1, "order-1", "t", 0, 2), Row("b", 2, "order-2", "t", 0, 1)]
    records = [SeenRecord("t", 0, 1, "order-2", "b"), SeenRecord("t", 0, 2, "order-1", "a")]
    assert compare(rows, records, committed=["a", "b"], rolled_back=[]) == Audit()


def test_a_seed_gives_the_same_shop_each_time() -> None:
    assert journeys(300, 7) == journeys(300, 7)
    assert journeys(300, 7) != journeys(300, 8)


def test_failing_handlers_are_those_of_orders_that_are_paid() -> None:
    played = journeys(80, 1)
    paid = {j.subject.id for j in played if isinstance(j.subject, NewOrder) and j.paid}
    broken = faults(played)
    assert {fault.aggregate_id for fault in broken} <= paid
    assert sum(fault.failures == FOR_GOOD for fault in broken) == 2
    assert sum(fault.failures == 2 for fault in broken) == 6


def test_too_few_orders_for_the_failing_handlers_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        faults(journeys(5, 1))
