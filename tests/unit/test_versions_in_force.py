"""Which versions of an event type are in force, and what each state permits."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from relay.schema.approvals.store import KnownVersion
from relay.schema.approvals.versions_in_force import NotApproved, VersionsInForce
from relay.schema.catalog import State
from tests.integration.reviewing import EVENT_TYPE, version

ONE = version(1, state=State.ACTIVE)
REWORDED = replace(ONE, avsc={**ONE.avsc, "doc": "in other words"}, text="in other words")


def decided(state: State, number: int = 1, *, withdrawn: bool = False) -> KnownVersion:
    given = version(number)
    return KnownVersion(
        given.event_type, number, given.subject, given.fingerprint, given.logical_digest,
        state, given.text, withdrawn,
    )  # fmt: skip


def in_force(*versions: KnownVersion) -> VersionsInForce:
    return VersionsInForce(EVENT_TYPE, versions)


def permits(question: Callable[[], object]) -> bool:
    try:
        question()
    except NotApproved:
        return False
    return True


@pytest.mark.parametrize(
    ("known", "write", "publish", "register", "active", "copies"),
    [
        (None, False, False, False, False, False),
        (decided(State.PROPOSED), False, False, False, False, False),
        (decided(State.APPROVED), False, False, True, False, False),
        (decided(State.ACTIVE), True, True, True, True, True),
        (decided(State.DEPRECATED), True, True, True, False, True),
        (decided(State.RETIRED), False, True, False, False, False),
        (decided(State.RETIRED, withdrawn=True), False, False, False, False, False),
    ],
    ids=lambda value: "" if isinstance(value, bool) else getattr(value, "state", "not there"),
)
def test_what_each_state_permits(
    known: KnownVersion | None,
    write: bool,
    publish: bool,
    register: bool,
    active: bool,
    copies: bool,
) -> None:
    # Given an event type that has a proposed version besides
    others = decided(State.PROPOSED, 2)
    versions = in_force(others) if known is None else in_force(known, others)
    fingerprint, logical_digest = ONE.fingerprint, ONE.logical_digest
    # Then each use is permitted or not
    assert permits(lambda: versions.check_writable(1, fingerprint, logical_digest)) == write
    assert permits(lambda: versions.to_publish(1, None)) == publish
    assert permits(lambda: versions.to_publish(1, fingerprint)) == publish
    assert permits(lambda: versions.to_register(ONE)) == register
    assert permits(lambda: versions.to_publish(None, None)) == active
    assert (versions.active is not None) == active
    assert (versions.for_copies is not None) == copies
    # And a version is found by its number and by its bytes, whatever its state
    assert versions.number(1) is known
    assert versions.of_row(1, None) is known
    assert versions.of_row(9, fingerprint) is known


@pytest.mark.parametrize("state", State)
def test_predicates_of_a_state_agree(state: State) -> None:
    if state.is_publishable:
        assert state.can_register
        assert state.has_been_in_use
    assert state.is_publishable == (state.can_register and state.has_been_in_use)


def test_an_event_type_without_decisions_permits_nothing_and_says_what_to_do() -> None:
    with pytest.raises(NotApproved, match=r"nobody has decided .*propose.*adopt"):
        in_force().to_publish(1, None)
    with pytest.raises(NotApproved, match="nobody has decided"):
        in_force().check_writable(1, ONE.fingerprint, ONE.logical_digest)


@pytest.mark.parametrize("state", [State.APPROVED, State.ACTIVE, State.DEPRECATED])
def test_what_was_approved_is_registered_with_its_own_text(state: State) -> None:
    found = in_force(decided(state), decided(State.PROPOSED, 2)).to_register(REWORDED)
    assert (found.text, json.loads(found.text)) == (ONE.text, found.avsc)


@pytest.mark.parametrize(
    ("state", "advice"),
    [(State.PROPOSED, "relay schemas approve"), (State.RETIRED, "in its domain file")],
)
def test_what_is_not_approved_is_not_registered(state: State, advice: str) -> None:
    with pytest.raises(NotApproved, match=rf"is {state} in the database, so .*{advice}"):
        in_force(decided(state)).to_register(ONE)


def test_what_nobody_decided_about_is_not_registered() -> None:
    with pytest.raises(NotApproved, match="relay schemas propose"):
        in_force(decided(State.ACTIVE, 2)).to_register(ONE)


def test_another_schema_than_the_approved_one_is_not_registered() -> None:
    with pytest.raises(NotApproved, match="another schema than the one that was approved"):
        in_force(decided(State.ACTIVE)).to_register(replace(version(2), version=1))


def test_before_the_review_the_catalogs_text_is_registered() -> None:
    versions = VersionsInForce(EVENT_TYPE, [decided(State.PROPOSED)], reviewed=False)
    assert versions.to_register(REWORDED) is REWORDED
