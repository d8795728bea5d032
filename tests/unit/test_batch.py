"""A row whose message can't be built costs itself an attempt, and nobody else anything."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.capture.row import SEQ, Row
from relay.process.backoff import Backoff
from relay.publish.batch import MOST_HELD, Batch, Builder
from relay.publish.holds import Hold, Holds
from relay.publish.message import Message, NotPublishable, Waiting

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
MESSAGE: Message = ("events.tests", b"value", b"key", 0, [])


class Silent(Exception):
    """Can't be asked what it says."""

    def __str__(self) -> str:
        raise SystemExit(3)


def _is_made_of_text(kind: Any) -> bool:
    try:
        return isinstance(kind("x"), BaseException)
    except Exception:
        return False


KINDS: list[Callable[[str], BaseException]] = [
    Silent,
    NotPublishable,
    Waiting,
    *(
        kind
        for kind in vars(builtins).values()
        if isinstance(kind, type) and issubclass(kind, BaseException) and _is_made_of_text(kind)
    ),
]
TEXTS = st.text(st.characters(codec=None) | st.sampled_from("\0\ud800\udfff"), max_size=600)


def errors() -> st.SearchStrategy[BaseException]:
    return st.builds(lambda kind, text: kind(text), st.sampled_from(KINDS), TEXTS)


class Messages:
    """Fails for the rows that it is told to, by seq, in the message or in its copies."""

    def __init__(self, message: dict[int, BaseException], copies: dict[int, BaseException]) -> None:
        self._message, self._copies = message, copies

    def build(self, row: Row, _: object) -> Message:
        if row[SEQ] in self._message:
            raise self._message[row[SEQ]]
        return MESSAGE

    def copies(self, row: Row, *_: object) -> list[Any]:
        if row[SEQ] in self._copies:
            raise self._copies[row[SEQ]]
        return []


def builder(message: dict[int, BaseException], copies: dict[int, BaseException]) -> Builder:
    second = timedelta(seconds=1)
    return Builder(
        cast(Any, Messages(message, copies)), Holds("hold"), Backoff(second, second), max_attempts=3
    )


def rows(count: int) -> list[Row]:
    """Of one aggregate each."""
    return [
        (seq, f"e{seq}", "counted", 1, "counter", f"k{seq}", "{}", "", b"", b"", None, None)
        for seq in range(count)
    ]  # type: ignore[misc]


def taken(batch: Batch) -> list[int]:
    try:
        return [seq for seq, _, _ in batch.messages]
    except (KeyboardInterrupt, SystemExit) as error:  # would end pytest
        raise AssertionError("an error of one row ended the batch") from error


def assert_held(hold: Hold, error: BaseException, earlier: int) -> None:
    """It has its attempt, and an error that PostgreSQL and JSON can keep."""
    assert orjson.loads(orjson.dumps(hold.to_json()))["error"] == hold.error
    assert "\0" not in hold.error
    if isinstance(error, Waiting):
        assert (hold.state, hold.attempts) == ("failing", earlier)
    else:
        assert hold.attempts == earlier + 1
        assert hold.state == ("dead" if hold.attempts == 3 else "failing")
    if not isinstance(error, Waiting | NotPublishable):
        assert type(error).__qualname__ in hold.error


@given(st.dictionaries(st.integers(0, 4), errors()))
def test_of_new_rows_each_is_built_or_held_whatever_is_raised(
    failing: dict[int, BaseException],
) -> None:
    batch = builder(failing, {}).fresh(rows(5), {})

    assert taken(batch) == [seq for seq in range(5) if seq not in failing]
    assert [hold.seq for hold in batch.held] == sorted(failing)
    for hold in batch.held:
        assert_held(hold, failing[hold.seq], 0)


@given(
    st.dictionaries(st.integers(0, 4), errors()),
    st.dictionaries(st.integers(0, 4), errors()),
    st.integers(0, 2),
)
def test_of_held_rows_each_is_built_or_held_on_whatever_is_raised_by_it_or_its_copies(
    failing: dict[int, BaseException], copies: dict[int, BaseException], earlier: int
) -> None:
    held = [Hold(s, f"e{s}", ("counter", f"k{s}"), "failing", earlier, "", 0.0) for s in range(5)]

    batch = builder(failing, copies).again([[hold] for hold in held], rows(5), {})

    failing = copies | failing
    assert taken(batch) == batch.released == [seq for seq in range(5) if seq not in failing]
    assert [hold.seq for hold in batch.held] == sorted(failing)
    for hold in batch.held:
        assert_held(hold, failing[hold.seq], earlier)


def test_what_a_person_discarded_is_passed_and_the_next_of_its_aggregate_goes_out() -> None:
    run = [
        Hold(0, "e0", ("counter", "k"), "failing", 3, "why", 0.0, "never mind"),
        Hold(1, "e1", ("counter", "k"), "held"),
        Hold(2, "e2", ("counter", "k"), "failing", 3, "why", 0.0, "never mind"),
    ]

    batch = builder({}, {}).again([run], rows(3), {})

    assert taken(batch) == batch.released == [1]
    assert [(hold.seq, hold.state, hold.retry_in, hold.discard) for hold in batch.held] == [
        (0, "discarded", None, "never mind"),
        (2, "discarded", None, "never mind"),
    ]


def test_a_position_record_lists_a_bounded_number_of_discarded_events() -> None:
    count = MOST_HELD + 5
    run = [
        Hold(seq, f"e{seq}", ("counter", "k"), "failing", 3, "", 0.0, "no") for seq in range(count)
    ]
    batch = builder({}, {}).again([run], rows(count), {})
    assert taken(batch) == []
    assert len(batch.held) == MOST_HELD


def test_the_age_of_a_batch_is_that_of_its_first_row() -> None:
    first = (0, "e", "counted", 1, "counter", "k", "{}", "2026-01-31 12:00:00.5+00", b"", b"", None)
    age = Batch([(*first, 0)]).age()  # type: ignore[list-item]
    assert age is not None
    assert age == pytest.approx((datetime.now(UTC) - NOW).total_seconds() - 0.5, abs=60)


@pytest.mark.parametrize("occurred_at", ["infinity", "-infinity", "0044-03-15 00:00:00+00 BC", ""])
def test_a_time_without_a_datetime_has_no_age(occurred_at: str) -> None:
    row = (0, "e", "counted", 1, "counter", "k", "{}", occurred_at, b"", b"", None, 0)
    assert Batch([row]).age() is None
    assert Batch([]).age() is None
