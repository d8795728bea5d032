"""Pauses grow exponentially up to a ceiling."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relay.consume.backoff import Backoff
from relay.consume.failures import Failure, Unhandled
from relay.consume.lane import Policy

backoffs = st.builds(
    Backoff,
    initial_ms=st.integers(1, 10**6),
    max_ms=st.integers(1, 10**8),
    multiplier=st.floats(1, 100),
)


@given(backoffs, st.integers(1, 10**9))
def test_pauses_never_shrink_and_never_exceed_the_ceiling(backoff: Backoff, failures: int) -> None:
    pause, following = backoff.pause_ms(failures), backoff.pause_ms(failures + 1)

    assert 0 < pause <= following <= backoff.max_ms


@given(backoffs, st.integers(1, 1000))
def test_jitter_takes_away_at_most_half(backoff: Backoff, failures: int) -> None:
    pause = backoff.pause_ms(failures)

    assert pause / 2 <= backoff.jittered_ms(failures) <= pause


def test_each_pause_is_the_one_before_times_the_multiplier() -> None:
    backoff = Backoff(initial_ms=100, max_ms=1_000, multiplier=2.0)

    assert [backoff.pause_ms(n) for n in range(1, 7)] == [100, 200, 400, 800, 1_000, 1_000]


def test_what_only_other_members_can_act_on_waits_for_the_ceiling_at_once() -> None:
    policy = Policy(5, Backoff(initial_ms=1, max_ms=1_000, multiplier=2.0))
    elsewhere = Failure.of("decode", Unhandled("no handler here"))

    assert policy.parked_pause_ms(elsewhere, 1) == 1_000
    assert policy.parked_pause_ms(Failure.of("handle", ValueError("no")), 1) <= 1
    assert not elsewhere.fatal
