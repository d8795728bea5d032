"""The pause behind a transaction: long enough for the broker's markers, and no longer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relay.publish.pace import LONGEST, SHORTEST, Pace


def test_a_transaction_that_had_to_ask_twice_makes_the_pause_longer() -> None:
    pace = Pace()
    pace.took(1, 0.021)
    assert pace.pause == 2 * SHORTEST


def test_quick_transactions_make_it_as_short_as_before() -> None:
    pace = Pace()
    pace.took(1, 0.030)
    for _ in range(50):
        pace.took(1, 0.004)
    assert pace.pause == SHORTEST


def test_a_large_batch_says_nothing() -> None:
    pace = Pace()
    pace.took(20_000, 0.4)
    assert pace.pause == SHORTEST


@given(st.lists(st.tuples(st.integers(0, 20_000), st.floats(0, 10)), max_size=200))
def test_the_pause_stays_within_its_bounds(batches: list[tuple[int, float]]) -> None:
    pace = Pace()
    for records, seconds in batches:
        pace.took(records, seconds)
        assert SHORTEST <= pace.pause <= LONGEST


def test_one_in_a_hundred_that_asks_twice_is_no_reason_to_wait() -> None:
    pace = Pace()
    for number in range(1000):
        pace.took(1, 0.025 if number % 100 == 99 else 0.004)
    assert pace.pause <= 2 * SHORTEST


def test_one_in_ten_that_asks_twice_is() -> None:
    pace = Pace()
    for number in range(1000):
        pace.took(1, 0.025 if number % 10 == 9 else 0.004)
    assert pace.pause > LONGEST / 2
