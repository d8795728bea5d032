"""How many rows a page may have, so that it fits the memory: arithmetic without I/O."""

from __future__ import annotations

__all__ = ["PageSize"]

# Of payloads or Avro bytes; with small rows a page never comes near.
MOST_BYTES = 24 * 2**20
FIRST_ROWS = 1_000
_GROWTH = 8


class PageSize:
    """rows: most rows of the next page.

    Begins small, since nobody knows yet how large rows are, and grows with pages that were full. A
    page whose rows are suddenly larger than the last one's is too large once.
    """

    def __init__(self, most_rows: int) -> None:
        self._most_rows = most_rows
        self.rows = min(most_rows, FIRST_ROWS)

    def read(self, rows: int, size: int) -> None:
        """A page of `rows` had `size` bytes."""
        if rows:
            fitting = MOST_BYTES * rows // max(size, 1)
            wanted = self.rows * _GROWTH if rows == self.rows else self.rows
            self.rows = max(1, min(fitting, wanted, self._most_rows))
