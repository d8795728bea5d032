"""Where a shard goes on, for every pair of position record and mirror."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.capture.position import Position, Snapshot
from relay.errors import PositionRefused
from relay.postgres.identity import Identity
from relay.publish.record import PositionRecord
from relay.publish.takeover.resume import Continue, Decision, Recover, Redo, Start, decide

NOW = Snapshot(10**6, 10**6)
HERE = Identity("7000000000000000001", 16384, 3)


def record(number: int, timeline: int = HERE.timeline, shards: int = 4) -> PositionRecord:
    """The record of a shard's transaction."""
    seen = Snapshot(100 + number, 100 + number)
    return PositionRecord(number, 0, shards, replace(HERE, timeline=timeline), Position(seen))


def decided(in_topic: PositionRecord | None, mirror: PositionRecord | None) -> Decision:
    return decide(0, 4, HERE, NOW, in_topic, mirror)


def test_without_any_record_it_starts() -> None:
    assert decided(None, None) == Start()


def test_a_flagged_transaction_is_gone_on_behind() -> None:
    assert decided(record(5), record(5)) == Continue(record(5))


def test_the_last_transaction_without_flags_is_redone() -> None:
    assert decided(record(5), record(4)) == Redo(record(5))


def test_the_first_transaction_without_flags_is_redone() -> None:
    assert decided(record(1), record(0)) == Redo(record(1))


def test_a_shard_that_has_published_nothing_starts_again() -> None:
    assert decided(None, record(0)) == Start()


def test_a_record_that_the_database_knows_nothing_of_is_recovered_from() -> None:
    assert isinstance(decided(record(1), None), Recover)


@pytest.mark.parametrize(
    ("in_topic", "mirror", "number"),
    [
        (None, 5, 5),  # the positions topic was emptied
        (5, None, 5),  # the database forgot
        (4, 5, 5),  # the topic lost its end
        (6, 4, 6),  # the database lost the flags of more than one transaction
    ],
)
def test_records_that_contradict_each_other_are_recovered_from(
    in_topic: int | None, mirror: int | None, number: int
) -> None:
    found = decided(
        None if in_topic is None else record(in_topic), None if mirror is None else record(mirror)
    )
    assert isinstance(found, Recover)
    assert found.number == number


@pytest.mark.parametrize("mirror", [None, record(3, timeline=2), record(5, timeline=2), record(9)])
def test_a_position_of_an_older_timeline_is_recovered_from(mirror: PositionRecord | None) -> None:
    found = decided(record(5, timeline=2), mirror)
    assert isinstance(found, Recover)
    assert "timeline 3" in found.reason
    # and no transaction number comes twice
    assert found.number == max(5, mirror.number if mirror else 0)


def test_an_emptied_topic_after_a_promotion_is_recovered_from() -> None:
    assert isinstance(decided(None, record(5, timeline=2)), Recover)


@pytest.mark.parametrize(
    ("now", "possible"),
    [
        (Snapshot(105, 105), True),  # record(5) was the last
        (Snapshot(200, 300, (200,)), True),
        (Snapshot(104, 104), False),  # has not given out the position's ids yet
        (Snapshot(103, 110, (103,)), False),  # a transaction is open that was over
    ],
)
@pytest.mark.parametrize("known", [None, 4, 5])
def test_a_server_that_has_gone_back_is_recovered(
    now: Snapshot, possible: bool, known: int | None
) -> None:
    mirror = None if known is None else record(known)
    found = decide(0, 4, HERE, now, record(5), mirror)
    if possible:
        assert isinstance(found, Recover) == (known is None)
        return
    assert isinstance(found, Recover)
    assert "restored" in found.reason
    # from the mirror where the server has come to that one again
    reached = mirror is not None and mirror.position.is_possible(now)
    assert found.mirror is (mirror if reached else None)


@pytest.mark.parametrize("position", [record(5, timeline=4), record(1, timeline=4)])
@pytest.mark.parametrize("in_topic", [True, False])
def test_a_former_primary_is_refused(position: PositionRecord, in_topic: bool) -> None:
    with pytest.raises(PositionRefused, match="former primary"):
        decided(*((position, None) if in_topic else (None, position)))


@pytest.mark.parametrize(
    "other",
    [
        replace(HERE, system="7000000000000000002"),
        replace(HERE, database=16385),
        replace(HERE, database=16385, timeline=1),
    ],
)
@pytest.mark.parametrize("in_topic", [True, False])
def test_another_database_is_refused(other: Identity, in_topic: bool) -> None:
    foreign = replace(record(5), identity=other)
    with pytest.raises(PositionRefused, match="EVENT_BUS_DATABASE_URL") as refused:
        decided(*((foreign, record(5)) if in_topic else (record(5), foreign)))
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("in_topic", [True, False])
def test_another_number_of_shards_is_refused(in_topic: bool) -> None:
    foreign = record(5, shards=8)
    with pytest.raises(PositionRefused, match="EVENT_BUS_SHARDS"):
        decided(*((foreign, None) if in_topic else (None, foreign)))


maybe = st.none() | st.builds(record, st.integers(1, 4), st.integers(1, 3))


@given(maybe, maybe)
def test_a_position_is_trusted_only_where_the_database_knows_it_or_its_forerunner(
    in_topic: PositionRecord | None, mirror: PositionRecord | None
) -> None:
    found = decided(in_topic, mirror)
    if isinstance(found, Continue | Redo):
        assert in_topic is not None
        assert found.record is in_topic
        assert in_topic.identity == HERE
        assert mirror is not None
        assert mirror.number in (in_topic.number, in_topic.number - 1)
        assert isinstance(found, Continue) == (mirror.number == in_topic.number)
    elif isinstance(found, Recover):
        assert found.number == max(r.number for r in (in_topic, mirror) if r)
    else:
        assert in_topic is None
        assert mirror is None
