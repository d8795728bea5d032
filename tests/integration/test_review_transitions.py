"""States of schema versions in PostgreSQL: guarded, one winner, and every step on record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from threading import Barrier
from typing import Any

import psycopg
import pytest
from psycopg.errors import CheckViolation, ObjectNotInPrerequisiteState, UniqueViolation

from relay.schema.approvals import store
from relay.schema.approvals.affected import count_undelivered
from relay.schema.approvals.transitions import Action, transition
from relay.schema.catalog import SchemaVersion, State
from tests.integration.reviewing import EVENT_TYPE, Connection, bring, states, version
from tests.stack import until

ONE, TWO, THREE = version(1), version(2), version(3)
OTHER_TEXT = version(1, {**ONE.avsc, "doc": "another text"})


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def act(
    connection: Connection, action: Action, wanted: SchemaVersion, seen: State | None
) -> State | None:
    """Does `action` to version 1, seen in a state, as carl."""
    match action:
        case Action.PROPOSE:
            return store.propose(connection, wanted, "carl", "why")
        case Action.APPROVE:
            return store.approve(connection, wanted, "carl", "why")
        case Action.ACTIVATE:
            return store.activate(connection, wanted, "carl", "why", replaces=None)
        case Action.DEPRECATE:
            return store.deprecate(connection, EVENT_TYPE, 1, "carl", "why", sunset=None)
        case _:
            seen = seen or State.DEPRECATED
            return store.retire(connection, EVENT_TYPE, 1, "carl", "why", seen=seen, forced=False)


@pytest.mark.parametrize("action", [action for action in Action if action is not Action.ADOPT])
@pytest.mark.parametrize("state", [None, *State])
def test_a_transition_takes_place_only_from_its_states_and_leaves_one_line_of_history(
    connection: Connection, state: State | None, action: Action
) -> None:
    # Given a version in a state, to be proposed with another text and else with its own
    if state is not None:
        bring(connection, ONE, state)
    before = store.history(connection, EVENT_TYPE)
    wanted = OTHER_TEXT if action is Action.PROPOSE else ONE
    rule = transition(action)
    # When somebody acts on it
    moved = act(connection, action, wanted, state)
    # Then it moves if it may, with one line that says all, and otherwise nothing happens
    added = store.history(connection, EVENT_TYPE)[len(before) :]
    if state in rule.sources:
        assert moved is rule.target
        assert states(connection) == {1: rule.target.value}
        (line,) = added
        assert (line.action, line.from_state, line.to_state) == (action, state, rule.target)
        assert (line.actor, line.reason, line.forced) == ("carl", "why", False)
    else:
        assert moved is None
        assert states(connection) == ({} if state is None else {1: state.value})
        assert added == []


def test_the_same_text_is_not_proposed_twice(connection: Connection) -> None:
    bring(connection, ONE, State.APPROVED)
    assert store.propose(connection, ONE, "carl", None) is None
    assert states(connection) == {1: "approved"}


def test_another_text_makes_an_approval_void(connection: Connection) -> None:
    bring(connection, ONE, State.APPROVED)
    assert store.propose(connection, OTHER_TEXT, "carl", None) is State.PROPOSED
    (found,) = store.decisions(connection, EVENT_TYPE)
    assert (found.proposer, found.approver, found.reason) == ("carl", None, None)
    assert store.activate(connection, OTHER_TEXT, "dora", None, replaces=None) is None


def test_another_text_of_another_domain_has_its_subject(connection: Connection) -> None:
    bring(connection, ONE, State.PROPOSED)
    subject = "events.sales-relay.events.tests.OrderNoted"
    assert store.propose(connection, replace(OTHER_TEXT, subject=subject), "carl", None)
    (found,) = store.decisions(connection, EVENT_TYPE)
    assert found.subject == subject


@pytest.mark.parametrize(
    ("copy", "number", "active", "counted"),
    [
        (None, 1, True, 1),  # not published
        (0, 1, True, 0),  # published
        (2, 1, True, 1),  # a copy alone is
        (None, None, True, 0),  # goes out under the active one
        (None, None, False, 1),  # waits for this one to be active again
        (None, 2, True, 0),  # of another version
    ],
)
def test_events_that_still_need_a_version_are_counted(
    connection: Connection, copy: int | None, number: int | None, active: bool, counted: int
) -> None:
    bring(connection, ONE, State.DEPRECATED)
    bring(connection, version(2), State.ACTIVE if active else State.DEPRECATED)
    (seq,) = connection.execute(
        "insert into outbox.domain_events (event_type, schema_version, aggregate_type, "
        "aggregate_id, payload) values (%s, %s, 'order', '1', '{}') returning seq",
        (EVENT_TYPE, number),
    ).fetchone() or (0,)
    if copy is not None:
        connection.execute(
            "insert into outbox.deliveries (seq, copy, topic) values (%s, %s, 'events.orders')",
            (seq, copy),
        )
    assert count_undelivered(connection, EVENT_TYPE, 1) == counted


def test_nobody_approves_what_he_proposed_himself(connection: Connection) -> None:
    bring(connection, ONE, State.PROPOSED)
    assert store.approve(connection, ONE, "anna", "mine is good") is None
    with pytest.raises(CheckViolation, match="approved_by_another"):
        connection.execute(
            "update outbox.schema_versions set state = 'approved', approver = 'anna', "
            "approved_at = now(), reason = 'mine'"
        )
    assert states(connection) == {1: "proposed"}


def test_a_text_that_the_approver_has_not_read_is_not_approved(connection: Connection) -> None:
    bring(connection, ONE, State.PROPOSED)
    store.propose(connection, OTHER_TEXT, "anna", None)
    assert store.approve(connection, ONE, "ben", "read before it changed") is None
    assert store.approve(connection, OTHER_TEXT, "ben", "read") is State.APPROVED


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("state = 'active'", "approved_before_active"),
        ("state = 'approved', approver = 'ben', approved_at = now()", "approved_with_reason"),
        ("state = 'approved', approver = 'ben', reason = 'ok'", "approved_with_reason"),
        ("approver = 'ben', approved_at = now(), reason = 'ok'", "proposed_without_approver"),
        ("sunset = '2030-01-01'", "sunset_of_deprecated"),
        ("state = 'published', adopted = true", "state_check"),
    ],
)
def test_impossible_states_are_refused_by_the_table_itself(
    connection: Connection, change: str, constraint: str
) -> None:
    bring(connection, ONE, State.PROPOSED)
    with pytest.raises(CheckViolation, match=constraint):
        connection.execute(f"update outbox.schema_versions set {change}")


def test_a_forced_retirement_is_on_record_with_its_reason(connection: Connection) -> None:
    bring(connection, ONE, State.DEPRECATED)
    with pytest.raises(CheckViolation, match="forced_with_reason"):
        store.retire(connection, EVENT_TYPE, 1, "carl", None, seen=State.DEPRECATED, forced=True)
    assert states(connection) == {1: "deprecated"}
    seen = State.DEPRECATED
    assert store.retire(connection, EVENT_TYPE, 1, "carl", "broken", seen=seen, forced=True)
    last = store.history(connection, EVENT_TYPE)[-1]
    assert (last.action, last.forced, last.reason) == ("retire", True, "broken")


@pytest.mark.parametrize("state", [State.PROPOSED, State.APPROVED, State.DEPRECATED])
def test_a_version_that_retires_before_it_was_in_use_is_known_as_withdrawn(
    connection: Connection, state: State
) -> None:
    bring(connection, ONE, state)
    assert [each.withdrawn for each in store.decisions(connection, EVENT_TYPE)] == [False]
    assert store.retire(connection, EVENT_TYPE, 1, "carl", None, seen=state, forced=False)
    (decision,) = store.decisions(connection, EVENT_TYPE)
    assert decision.withdrawn == (state is not State.DEPRECATED)


def test_a_version_that_was_put_to_use_since_its_readers_were_checked_does_not_retire(
    connection: Connection,
) -> None:
    bring(connection, ONE, State.DEPRECATED)
    seen = State.APPROVED
    assert store.retire(connection, EVENT_TYPE, 1, "carl", None, seen=seen, forced=False) is None
    assert states(connection) == {1: "deprecated"}


def test_a_sunset_is_kept_until_another_one_is_given_or_the_version_comes_back(
    connection: Connection,
) -> None:
    bring(connection, ONE, State.ACTIVE)
    day, later = date(2030, 1, 31), date(2030, 2, 28)

    def deprecate(sunset: date | None) -> date | None:
        assert store.deprecate(connection, EVENT_TYPE, 1, "anna", None, sunset=sunset)
        return store.decisions(connection, EVENT_TYPE)[0].sunset

    assert [deprecate(day), deprecate(None), deprecate(later)] == [day, day, later]
    assert [line.sunset for line in store.history(connection, EVENT_TYPE)[-3:]] == [day, day, later]
    assert store.activate(connection, ONE, "anna", None, replaces=None)
    assert store.decisions(connection, EVENT_TYPE)[0].sunset is None


def test_activating_deprecates_the_version_before_and_can_be_taken_back(
    connection: Connection,
) -> None:
    bring(connection, ONE, State.ACTIVE)
    bring(connection, TWO, State.ACTIVE)
    assert states(connection) == {1: "deprecated", 2: "active"}
    lines = [(e.version, e.action, e.to_state) for e in store.history(connection, EVENT_TYPE)]
    assert lines[-2:] == [(1, "deprecate", "deprecated"), (2, "activate", "active")]
    assert store.activate(connection, ONE, "anna", "2 was a mistake", replaces=2)
    assert states(connection) == {1: "active", 2: "deprecated"}


def test_a_subject_has_one_active_version_and_another_subject_its_own(
    connection: Connection,
) -> None:
    bring(connection, ONE, State.ACTIVE)
    bring(connection, TWO, State.APPROVED)
    with pytest.raises(UniqueViolation, match="one_active_version"):
        connection.execute("update outbox.schema_versions set state = 'active' where version = 2")
    connection.execute("update outbox.schema_versions set subject = 'major2' where version = 2")
    assert store.activate(connection, TWO, "anna", None, replaces=None)
    assert states(connection) == {1: "active", 2: "active"}


@pytest.mark.parametrize(
    "statement",
    [
        "update outbox.schema_history set actor = 'nobody'",
        "delete from outbox.schema_history",
        "truncate outbox.schema_history",
    ],
)
def test_the_history_is_append_only(connection: Connection, statement: str) -> None:
    bring(connection, ONE, State.PROPOSED)
    with pytest.raises(ObjectNotInPrerequisiteState, match="append-only"):
        connection.execute(statement)


def test_a_rolled_back_transition_takes_its_line_along(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        bring(connection, ONE, State.APPROVED)
        connection.rollback()
        assert states(connection) == {}
        assert store.history(connection, EVENT_TYPE) == []


@pytest.mark.parametrize("state", [None, State.APPROVED, State.DEPRECATED])
def test_a_version_is_not_activated_in_place_of_one_that_is_not_active(
    connection: Connection, state: State | None
) -> None:
    if state is not None:
        bring(connection, ONE, state)
    bring(connection, TWO, State.APPROVED)
    assert store.activate(connection, TWO, "anna", None, replaces=1) is None
    assert states(connection)[2] == "approved"


def test_a_version_of_another_subject_is_not_replaced(connection: Connection) -> None:
    bring(connection, ONE, State.ACTIVE)
    bring(connection, replace(TWO, subject="major2"), State.APPROVED)
    assert store.activate(connection, TWO, "anna", None, replaces=1) is None
    assert states(connection) == {1: "active", 2: "approved"}


def test_another_text_than_the_approved_one_is_not_activated(connection: Connection) -> None:
    bring(connection, ONE, State.APPROVED)
    assert store.activate(connection, OTHER_TEXT, "anna", None, replaces=None) is None
    assert states(connection) == {1: "approved"}


def test_a_version_activated_meanwhile_is_not_replaced_unseen(connection: Connection) -> None:
    bring(connection, ONE, State.ACTIVE)
    bring(connection, TWO, State.APPROVED)
    bring(connection, THREE, State.ACTIVE)
    assert store.activate(connection, TWO, "anna", None, replaces=1) is None
    assert states(connection) == {1: "deprecated", 2: "approved", 3: "active"}


# Concurrency: real connections, of which one waits for the other.


def second_waits_for_first(
    url: str,
    first: Callable[[Connection], State | None],
    second: Callable[[Connection], State | None],
) -> list[State | None]:
    """What both answer when the second begins before the first has committed."""
    with ExitStack() as stack:
        one = stack.enter_context(psycopg.connect(url, autocommit=True))
        two = stack.enter_context(psycopg.connect(url, autocommit=True))
        watch = stack.enter_context(psycopg.connect(url, autocommit=True))
        pool = stack.enter_context(ThreadPoolExecutor(1))
        one.execute("begin")
        first_answer = first(one)
        running = pool.submit(second, two)
        pid = two.info.backend_pid
        until(
            lambda: (
                watch.execute("select cardinality(pg_blocking_pids(%s))", [pid]).fetchone() == (1,)
            ),
            what="the second waits for the first",
        )
        one.execute("commit")
        return [first_answer, running.result(30)]


def test_of_two_approvals_at_once_the_first_counts_and_the_second_learns_of_it(
    database_url: str, connection: Connection
) -> None:
    bring(connection, ONE, State.PROPOSED)
    answers = second_waits_for_first(
        database_url,
        lambda c: store.approve(c, ONE, "ben", "good"),
        lambda c: store.approve(c, ONE, "carl", "good"),
    )
    assert answers == [State.APPROVED, None]
    assert store.decisions(connection, EVENT_TYPE)[0].approver == "ben"


def test_a_text_proposed_while_another_is_approved_has_to_be_approved_again(
    database_url: str, connection: Connection
) -> None:
    bring(connection, ONE, State.PROPOSED)
    answers = second_waits_for_first(
        database_url,
        lambda c: store.propose(c, OTHER_TEXT, "anna", None),
        lambda c: store.approve(c, ONE, "ben", "good"),
    )
    assert answers == [State.PROPOSED, None]
    assert states(connection) == {1: "proposed"}


@pytest.mark.parametrize("replaces", [None, 1])
def test_of_two_activations_at_once_one_wins_whether_or_not_they_replace_a_version(
    database_url: str, connection: Connection, replaces: int | None
) -> None:
    if replaces:
        bring(connection, ONE, State.ACTIVE)
    bring(connection, TWO, State.APPROVED)
    bring(connection, THREE, State.APPROVED)
    answers = second_waits_for_first(
        database_url,
        lambda c: store.activate(c, TWO, "anna", None, replaces=replaces),
        lambda c: store.activate(c, THREE, "anna", None, replaces=replaces),
    )
    assert answers == [State.ACTIVE, None]
    expected = {2: "active", 3: "approved"}
    assert states(connection) == ({1: "deprecated"} if replaces else {}) | expected
    activated = [e for e in store.history(connection, EVENT_TYPE) if e.action == "activate"]
    assert [line.version for line in activated if line.version != 1] == [2]


def test_of_ten_approvals_at_once_exactly_one_is_on_record(
    database_url: str, connection: Connection
) -> None:
    bring(connection, ONE, State.PROPOSED)
    start = Barrier(10)

    def approve(number: int) -> State | None:
        with psycopg.connect(database_url, autocommit=True) as own:
            start.wait(30)
            return store.approve(own, ONE, f"approver {number}", "good")

    with ThreadPoolExecutor(10) as pool:
        answers: list[Any] = list(pool.map(approve, range(10)))
    assert sorted(answers, key=str) == [None] * 9 + [State.APPROVED]
    lines = [e for e in store.history(connection, EVENT_TYPE) if e.action == "approve"]
    assert len(lines) == 1
    assert lines[0].actor == store.decisions(connection, EVENT_TYPE)[0].approver


def test_a_text_proposed_while_it_is_activated_is_not_put_to_use(
    database_url: str, connection: Connection
) -> None:
    bring(connection, ONE, State.APPROVED)
    answers = second_waits_for_first(
        database_url,
        lambda c: store.propose(c, OTHER_TEXT, "anna", None),
        lambda c: store.activate(c, ONE, "ben", None, replaces=None),
    )
    assert answers == [State.PROPOSED, None]
    assert states(connection) == {1: "proposed"}


def test_a_proposal_beside_an_approval_reports_what_it_made_void(
    database_url: str, connection: Connection
) -> None:
    bring(connection, ONE, State.PROPOSED)
    answers = second_waits_for_first(
        database_url,
        lambda c: store.approve(c, ONE, "ben", "good"),
        lambda c: store.propose(c, OTHER_TEXT, "anna", None),
    )
    assert answers == [State.APPROVED, State.PROPOSED]
    last = store.history(connection, EVENT_TYPE)[-1]
    assert (last.action, last.from_state) == ("propose", "approved")


def test_of_two_retirements_at_once_one_is_on_record(
    database_url: str, connection: Connection
) -> None:
    bring(connection, ONE, State.DEPRECATED)
    seen = State.DEPRECATED

    def retire(one: Connection) -> State | None:
        return store.retire(one, EVENT_TYPE, 1, "anna", None, seen=seen, forced=False)

    assert second_waits_for_first(database_url, retire, retire) == [State.RETIRED, None]
    lines = [e for e in store.history(connection, EVENT_TYPE) if e.action == "retire"]
    assert len(lines) == 1


def test_what_retires_meanwhile_does_not_come_back_by_another_sunset(
    database_url: str, connection: Connection
) -> None:
    bring(connection, ONE, State.DEPRECATED)
    seen = State.DEPRECATED
    answers = second_waits_for_first(
        database_url,
        lambda c: store.retire(c, EVENT_TYPE, 1, "anna", None, seen=seen, forced=False),
        lambda c: store.deprecate(c, EVENT_TYPE, 1, "ben", None, sunset=date(2030, 1, 31)),
    )
    assert answers == [State.RETIRED, None]
    assert states(connection) == {1: "retired"}


def test_of_two_first_proposals_at_once_the_second_learns_of_it(
    database_url: str, connection: Connection
) -> None:
    answers = second_waits_for_first(
        database_url,
        lambda c: store.propose(c, ONE, "anna", None),
        lambda c: store.propose(c, OTHER_TEXT, "ben", None),
    )
    assert answers == [State.PROPOSED, None]
    assert store.decisions(connection, EVENT_TYPE)[0].text == ONE.text
