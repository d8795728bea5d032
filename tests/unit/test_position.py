"""Positions read each committed row once, however transactions and pages interleave."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from relay.capture.position import BEGINNING, Position, Snapshot, Step


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Any snapshot of the first few transaction ids, and some of the last ones."""
    base = draw(st.sampled_from([1, 3, 2**63 - 40]))
    xmin = base + draw(st.integers(0, 12))
    xmax = xmin + draw(st.integers(0, 12))
    listed = draw(st.sets(st.integers(xmin, xmax - 1))) if xmax > xmin else set()
    return Snapshot(xmin, xmax, tuple(sorted(listed)))


@st.composite
def steps(draw: st.DrawFn) -> Step:
    """Any step."""
    after = draw(st.integers(0, 2**63 - 1))
    through = draw(st.none() | st.integers(after, 2**63 - 1))
    return Step(draw(snapshots()), draw(snapshots()), after, through, draw(st.booleans()))


@given(snapshots())
def test_a_snapshot_is_read_back_from_its_text(snapshot: Snapshot) -> None:
    assert Snapshot.parse(str(snapshot)) == snapshot


@given(snapshots(), st.integers(0, 30))
def test_a_snapshot_sees_what_is_below_its_xmax_and_was_not_in_progress(
    snapshot: Snapshot, distance: int
) -> None:
    xid = max(1, snapshot.xmin - 3) + distance
    assert snapshot.sees(xid) == (xid < snapshot.xmax and xid not in snapshot.in_progress)


@given(st.data())
def test_a_server_comes_from_a_snapshot_to_those_that_see_all_that_it_saw(
    data: st.DataObject,
) -> None:
    earlier, later = data.draw(snapshots()), data.draw(snapshots())
    near = {
        xid
        for snapshot in (earlier, later)
        for xid in range(max(1, snapshot.xmin - 2), snapshot.xmax + 2)
    }
    stayed = all(later.sees(xid) for xid in near if earlier.sees(xid))
    assert earlier.may_precede(later) == (stayed and earlier.xmax <= later.xmax)


def test_the_beginning_sees_nothing() -> None:
    assert not any(BEGINNING.sees(xid) for xid in (1, 2, 3, 2**64 - 1))


@pytest.mark.parametrize(
    "text",
    ["", "1", "1:2", "2:1:", "0:1:", "3:6:2", "3:6:6", "3:6:5,4", "3:6:4,4", "a:b:", "1:1:,"],
)
def test_what_is_no_snapshot_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Snapshot.parse(text)


@given(steps())
def test_a_step_and_its_position_are_read_back_from_json(step: Step) -> None:
    assert Step.from_json(json.loads(json.dumps(step.to_json()))) == step
    position = step.position()
    assert Position.from_json(json.loads(json.dumps(position.to_json()))) == position


@given(steps(), st.integers(0, 12), st.integers(1, 60), st.integers(1, 60))
def test_a_split_step_holds_each_row_in_one_of_its_parts(
    step: Step, distance: int, ahead: int, cut: int
) -> None:
    xid, seq = step.seen.xmin + distance, step.after + ahead
    at = step.after + cut if step.through is None else min(step.after + cut, step.through)
    done, rest = step.split(at)
    assert done.holds(xid, seq) + rest.holds(xid, seq) == step.holds(xid, seq)
    # and the rest ends where the whole would have ended
    assert rest.position() == step.position()


@given(steps(), snapshots(), st.integers(0, 12), st.integers(1, 60))
def test_what_a_position_goes_on_with_is_what_the_step_left(
    step: Step, later: Snapshot, distance: int, ahead: int
) -> None:
    """After a part of a page run comes the rest of that run and nothing of a later snapshot."""
    xid, seq = step.seen.xmin + distance, step.after + ahead
    whole = Step(step.seen, step.upto, step.after, None, step.recovering)
    done, _ = whole.split(step.after + 30)
    left = done.position().step(later)
    assert left.upto == whole.upto
    assert done.holds(xid, seq) + left.holds(xid, seq) == whole.holds(xid, seq)


@dataclass
class Transaction:
    """A writer: the aggregates that it has locked and the rows that it has written."""

    xid: int
    rows: list[tuple[int, str, int]] = field(default_factory=list)  # seq, aggregate, number


class Capture(RuleBasedStateMachine):
    """A model of a database beside a reader that pages, splits and is started again.

    Transactions take their id, then locks, then numbers, at any time, and end in any order. The
    reader takes its snapshots at any time, reads pages of any size, publishes any part of one, and
    keeps its position as text alone.
    """

    aggregates = ("a", "b", "c")

    def __init__(self) -> None:
        super().__init__()
        self.next_xid = 3
        self.next_seq = 1
        self.latest_completed = 2
        self.running: dict[int, Transaction] = {}
        self.locks: dict[str, int] = {}
        self.numbers: Counter[str] = Counter()
        self.committed: list[tuple[int, int, str, int]] = []  # xid, seq, aggregate, number
        self.published: list[tuple[int, str, int]] = []
        self.page: tuple[Step, list[tuple[int, str, int]]] | None = None
        self.stored = json.dumps(Position(BEGINNING).to_json())

    @initialize(rows=st.integers(0, 5))
    def some_transactions_are_there_already(self, rows: int) -> None:
        for _ in range(rows):
            self.begin()

    @rule()
    def begin(self) -> None:
        self.running[self.next_xid] = Transaction(self.next_xid)
        self.next_xid += 1

    @precondition(lambda self: self.running)
    @rule(data=st.data(), aggregate=st.sampled_from(aggregates))
    def write(self, data: st.DataObject, aggregate: str) -> None:
        self.add_row(data.draw(st.sampled_from(sorted(self.running))), aggregate)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), commits=st.booleans())
    def finish(self, data: st.DataObject, commits: bool) -> None:
        self.end(data.draw(st.sampled_from(sorted(self.running))), commits)

    @rule(aggregate=st.sampled_from(aggregates), rows=st.integers(1, 3))
    def change(self, aggregate: str, rows: int) -> None:
        """A whole transaction at once, so that there is enough to read."""
        if aggregate in self.locks:
            return
        self.begin()
        xid = self.next_xid - 1
        for _ in range(rows):
            self.add_row(xid, aggregate)
        self.end(xid, True)

    def add_row(self, xid: int, aggregate: str) -> None:
        if self.locks.setdefault(aggregate, xid) != xid:
            return
        transaction = self.running[xid]
        mine = sum(row[1] == aggregate for row in transaction.rows)
        number = self.numbers[aggregate] + mine + 1
        transaction.rows.append((self.next_seq, aggregate, number))
        self.next_seq += 1

    def end(self, xid: int, commits: bool) -> None:
        transaction = self.running.pop(xid)
        self.latest_completed = max(self.latest_completed, xid)
        self.locks = {key: owner for key, owner in self.locks.items() if owner != xid}
        if commits:
            for seq, aggregate, number in transaction.rows:
                self.committed.append((xid, seq, aggregate, number))
                self.numbers[aggregate] = number

    def snapshot(self) -> Snapshot:
        """As PostgreSQL's GetSnapshotData: xmax is one above the highest completed id."""
        xmax = self.latest_completed + 1
        in_progress = tuple(sorted(xid for xid in self.running if xid < xmax))
        return Snapshot(min(in_progress, default=xmax), xmax, in_progress)

    @rule(rows=st.integers(1, 3), share=st.integers(0, 3))
    def read(self, rows: int, share: int) -> None:
        """A page, as the reader reads it, of which some rows may be published at once."""
        if self.page is None:
            self.read_page(rows)
        if self.page is not None and share:
            self.publish(share)

    def read_page(self, rows: int) -> None:
        """The statement sees all that is committed by now, whenever its snapshot was taken."""
        position = Position.from_json(json.loads(self.stored))
        step = position.step(self.snapshot())
        fresh = sorted(
            (seq, aggregate, number)
            for xid, seq, aggregate, number in self.committed
            if step.holds(xid, seq)
        )
        if not fresh and position.upto is None:
            return
        if position.upto is None and len(fresh) > rows:
            step = Step(step.seen, step.upto, fresh[0][0] - 1)
        if len(fresh) >= rows:
            step, _ = step.split(fresh[rows - 1][0])
        self.page = step, fresh[:rows]

    def publish(self, count: int) -> None:
        """A transaction with the first rows of the page; the rest of the page is left over."""
        assert self.page is not None
        step, rows = self.page
        if count >= len(rows):
            self.page = None
            self.published += rows
        else:
            step, rest = step.split(rows[count - 1][0])
            self.page = rest, rows[count:]
            self.published += rows[:count]
        self.stored = json.dumps(step.position().to_json())

    @precondition(lambda self: self.page is not None)
    @rule()
    def start_again(self) -> None:
        """The reader dies: what was read and not published is forgotten."""
        self.page = None

    def teardown(self) -> None:
        for xid in sorted(self.running, reverse=True):
            self.end(xid, xid % 3 != 0)
        while True:
            if self.page is None:
                self.read_page(2)
            if self.page is None:
                break
            self.publish(4)
        # Every committed row exactly once
        assert sorted(self.published) == sorted(row[1:] for row in self.committed)
        # and in order per aggregate, since writers hold its lock until they commit
        for key in self.aggregates:
            numbers = [number for _, aggregate, number in self.published if aggregate == key]
            assert numbers == list(range(1, len(numbers) + 1))


TestCapture = Capture.TestCase
TestCapture.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
