"""A row of the outbox as capture reads it: the index of each column."""

from __future__ import annotations

from typing import Final, TypeAlias

__all__ = [
    "AGGREGATE_ID",
    "AGGREGATE_TYPE",
    "AVRO",
    "EVENT_TYPE",
    "FINGERPRINT",
    "ID",
    "METADATA",
    "OCCURRED_AT",
    "PAYLOAD",
    "SCHEMA_VERSION",
    "SEQ",
    "SHARD",
    "Row",
]

# A plain tuple, whose columns are read as row[SEQ]. Named tuples take 13 % more time: psycopg's
# tuple of each row would be copied, and the garbage collector untracks only plain tuples.
Row: TypeAlias = tuple[
    int, str, str, int | None, str, str, str, str, bytes | None, bytes | None, str | None, int
]

SEQ: Final = 0
ID: Final = 1
EVENT_TYPE: Final = 2
# None: written by SQL; the relay encodes with the active version.
SCHEMA_VERSION: Final = 3
AGGREGATE_TYPE: Final = 4
AGGREGATE_ID: Final = 5
# JSON.
METADATA: Final = 6
# PostgreSQL's ISO format, UTC.
OCCURRED_AT: Final = 7
# None like AVRO.
FINGERPRINT: Final = 8
AVRO: Final = 9
# JSON; None where there is AVRO.
PAYLOAD: Final = 10
SHARD: Final = 11
