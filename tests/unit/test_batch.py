"""A row whose message can't be built costs itself an attempt, and nobody else anything."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson
from hypothesis import given
from hypothesis import strategies as st

from relay.capture.row import SEQ, Row
from relay.process.backoff import Backoff
from relay.publish.batch import Batch, Builder
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
    return [seq for seq, _, _ in batch.messages]


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
    batch = builder(failing, {}).fresh(rows(5), {}, NOW)

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
    held = [Hold(s, f"e{s}", ("counter", f"k{s}"), "failing", earlier, "", NOW) for s in range(5)]

    batch = builder(failing, copies).again([[hold] for hold in held], rows(5), {}, NOW)

    failing = copies | failing
    assert taken(batch) == batch.released == [seq for seq in range(5) if seq not in failing]
    assert [hold.seq for hold in batch.held] == sorted(failing)
    for hold in batch.held:
        assert_held(hold, failing[hold.seq], earlier)
