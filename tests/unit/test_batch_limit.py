"""The size of a shard's batches after failures (H52)."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from relay.publish.transaction import MOST_ROWS, BatchLimit


@given(st.lists(st.booleans(), max_size=60), st.integers(1, MOST_ROWS))
def test_a_batch_that_failed_is_never_built_again_unchanged(
    tries: list[bool], backlog: int
) -> None:
    limit = BatchLimit()
    for succeeds in tries:
        rows = min(limit.rows, backlog)
        if succeeds:
            limit.accepted()
            assert rows <= limit.rows <= MOST_ROWS
        else:
            limit.failed(rows)
            assert limit.rows < rows or limit.rows == rows == 1


def test_the_limit_grows_back_slowly_to_the_whole() -> None:
    limit = BatchLimit()
    for _ in range(20):
        limit.failed(limit.rows)
    assert limit.rows == 1
    grown = [limit.rows]
    while limit.rows < MOST_ROWS:
        limit.accepted()
        grown.append(limit.rows)
    assert len(grown) < 400
    assert all(after <= before * 1.04 + 1 for before, after in itertools.pairwise(grown))


@given(st.integers(0, MOST_ROWS - 1))
def test_a_refused_row_is_alone_at_last(bad: int) -> None:
    limit, first, tries = BatchLimit(), 0, 0
    while limit.suspect is None:
        tries += 1
        rows = range(first, min(first + limit.rows, MOST_ROWS))
        if bad in rows:
            limit.refused(list(rows), "too large")
        else:
            first = rows[-1] + 1
            limit.accepted()
    assert limit.suspect == {bad: "too large"}
    assert limit.rows == MOST_ROWS
    assert tries < 500
