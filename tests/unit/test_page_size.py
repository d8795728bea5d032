"""Pages that fit the memory, whatever the size of rows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relay.capture.page_size import FIRST_ROWS, MOST_BYTES, PageSize


def test_small_rows_come_in_full_pages_after_a_few() -> None:
    size = PageSize(20_000)
    pages = 0
    while size.rows < 20_000:
        size.read(size.rows, size.rows * 300)
        pages += 1
    assert pages <= 3


def test_large_rows_come_in_pages_that_fit() -> None:
    size = PageSize(20_000)
    size.read(FIRST_ROWS, FIRST_ROWS * 100_000)
    assert size.rows * 100_000 <= MOST_BYTES


def test_a_few_small_rows_say_nothing_about_the_burst_behind_them() -> None:
    size = PageSize(20_000)
    for _ in range(20):
        size.read(2, 600)
    assert size.rows == FIRST_ROWS


@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 2**34)), max_size=50))
def test_a_page_has_at_least_one_row_and_never_more_than_may_be(
    pages: list[tuple[int, int]],
) -> None:
    size = PageSize(20_000)
    for rows, read in pages:
        size.read(rows, read)
        assert 1 <= size.rows <= 20_000
