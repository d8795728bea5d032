"""When a failed event is tried again, and when it is given up."""

from __future__ import annotations

from datetime import timedelta

from relay.consume.failures import Failure, Fatal, Unhandled
from relay.consume.retry import RetryPolicy
from relay.process.backoff import Backoff

SECOND, MILLISECOND = timedelta(seconds=1), timedelta(milliseconds=1)
policy = RetryPolicy(5, Backoff(MILLISECOND, SECOND, 2.0, jitter=0.5))
failed = Failure.of("handle", ValueError("no"))


def test_what_only_other_members_can_handle_waits_for_the_longest_pause_at_once() -> None:
    elsewhere = Failure.of("decode", Unhandled("no handler here"))

    assert policy.parked_pause(elsewhere, 1) == SECOND
    assert policy.parked_pause(failed, 1) <= MILLISECOND
    assert not elsewhere.fatal


def test_the_tries_in_the_lane_count_as_one_pause() -> None:
    pauses = [policy.parked_pause(failed, attempts) for attempts in range(3, 7)]

    for pause, longest in zip(pauses, (1, 2, 4, 8), strict=True):
        assert longest / 2 * MILLISECOND <= pause <= longest * MILLISECOND


def test_an_event_is_given_up_after_its_attempts_or_at_once_when_that_is_of_no_use() -> None:
    fatal = Failure.of("handle", Fatal("never"))

    assert [policy.gives_up(failed, attempts) for attempts in range(1, 7)] == [False] * 4 + [
        True
    ] * 2
    assert policy.gives_up(fatal, 1)


def test_an_event_leaves_the_lane_after_three_tries() -> None:
    assert [policy.leaves_lane(failed, attempts) for attempts in range(1, 4)] == [
        False,
        False,
        True,
    ]
    assert RetryPolicy(1, policy.backoff).leaves_lane(failed, 1)
