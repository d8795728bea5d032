"""The statement that writes rows of the outbox, and the one that says why it wrote none."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from relay.outbox.row import Row
from relay.postgres.sqlfile import load

__all__ = ["Insert", "Parameters", "insert_of"]

Parameters = Mapping[str, Any]


class Insert(NamedTuple):
    """A statement in psycopg's form, its parameters by name, and the rows that it writes."""

    query: bytes
    parameters: Parameters
    rows: Sequence[Row]

    def reason_query(self) -> tuple[bytes, Parameters]:
        """Reads which versions of the rows' event types are in use."""
        from relay.schema.approvals.refusal import states_query

        event_types = sorted({row["event_type"] for row in self.rows})
        return states_query(), {"event_types": orjson.dumps(event_types).decode()}

    def refuse(self, states: Sequence[Sequence[Any]]) -> None:
        """Raises SchemaNotActive, of what `reason_query` has read."""
        from relay.schema.approvals.refusal import require_written

        require_written(self.rows, states)


def insert_of(rows: Sequence[Row], *, lock: bool) -> Insert:
    """There is one statement for one event and one for many.

    A text for all rows costs a single event 15 % more, and many of them a third.
    """
    if len(rows) == 1:
        query = load(__package__, "insert_event.sql")
        return Insert(query, {**rows[0], "lock": lock}, rows)
    query = load(__package__, "insert_events.sql")
    return Insert(query, {"rows": _json(rows), "lock": lock}, rows)


def _json(rows: Sequence[Row]) -> str:
    """One text for all rows: drivers take five times as long over an array a column."""
    return orjson.dumps(
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
    ).decode()
