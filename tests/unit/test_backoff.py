"""Pauses grow exponentially up to a maximum."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.process.backoff import Backoff


def milliseconds(most: int) -> st.SearchStrategy[timedelta]:
    return st.integers(1, most).map(lambda number: timedelta(milliseconds=number))


backoffs = st.builds(
    Backoff,
    initial=milliseconds(10**6),
    maximum=milliseconds(10**8),
    multiplier=st.floats(1, 100),
)


@given(backoffs, st.integers(0, 10**9))
def test_pauses_never_shrink_and_never_exceed_the_maximum(backoff: Backoff, failures: int) -> None:
    pause, longer = backoff.after(failures), backoff.after(failures + 1)

    assert timedelta(0) < pause <= longer <= backoff.maximum
    assert pause >= min(backoff.initial, backoff.maximum)


@given(backoffs, st.integers(1, 1000), st.floats(0, 1))
def test_jitter_shortens_a_pause_by_at_most_its_share(
    backoff: Backoff, failures: int, jitter: float
) -> None:
    pause = backoff.after(failures)
    shortest = pause * (1 - jitter) - timedelta(microseconds=1)

    assert shortest <= replace(backoff, jitter=jitter).after(failures) <= pause


@pytest.mark.parametrize(("failures", "seconds"), [(0, 1), (1, 1), (2, 2), (3, 4), (4, 8), (5, 10)])
def test_each_pause_is_the_one_before_times_the_multiplier(failures: int, seconds: int) -> None:
    backoff = Backoff(timedelta(seconds=1), timedelta(seconds=10))

    assert backoff.after(failures) == timedelta(seconds=seconds)
