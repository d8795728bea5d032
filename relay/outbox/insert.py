"""The statement that writes rows of the outbox, and the one that explains why it wrote none."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from relay.errors import BulkTooLarge
from relay.outbox.row import NewRow
from relay.postgres.sqlfile import load

__all__ = ["Insert", "Parameters", "insert_of"]

Parameters = Mapping[str, Any]

# PostgreSQL takes no string of 1 GB, and needs room beside it.
MOST_BYTES: Final = 2**29


class Insert(NamedTuple):
    """A statement in psycopg's format, its parameters by name, and the rows that it writes."""

    query: bytes
    parameters: Parameters
    rows: Sequence[NewRow]

    def reason_query(self) -> tuple[bytes, Parameters]:
        """Returns the query for the versions of the rows' event types that are in use."""
        from relay.schema.approvals.versions_in_force import states_query

        event_types = sorted({row["event_type"] for row in self.rows})
        return states_query(), {"event_types": orjson.dumps(event_types).decode()}

    def refuse(self, states: Sequence[Sequence[Any]]) -> None:
        """Raises SchemaNotActive. states: the result of `reason_query`."""
        from relay.schema.approvals.versions_in_force import check_written

        check_written(self.rows, states)


def insert_of(rows: Sequence[NewRow], *, lock: bool) -> Insert:
    """Returns the statement for one event or the one for many.

    Passing all rows as one string costs a single event 15 % more. Raises BulkTooLarge.
    """
    if len(rows) == 1:
        query = load(__package__, "insert_event.sql")
        return Insert(query, {**rows[0], "lock": lock}, rows)
    query = load(__package__, "insert_events.sql")
    return Insert(query, {"rows": _json(rows), "lock": lock}, rows)


def _json(rows: Sequence[NewRow]) -> str:
    """Encodes all rows as one string: drivers take five times as long for one array per column."""
    encoded = orjson.dumps(
        [
            {
                **row,
                "payload": orjson.Fragment(row["payload"]),
                "metadata": orjson.Fragment(row["metadata"]),
                "fingerprint": row["fingerprint"].hex(),
                "logical_digest": row["logical_digest"].hex(),
                "avro": b64encode(row["avro"]).decode(),
            }
            for row in rows
        ]
    )
    if len(encoded) > MOST_BYTES:
        raise BulkTooLarge(
            f"{len(rows)} events are {len(encoded):,} bytes of JSON, and one statement takes "
            f"{MOST_BYTES:,}: publish them in several calls, which may share the transaction"
        )
    return encoded.decode()
