"""Schema versions for tests of the review, and ways to bring them into a state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg

from relay.schema.approvals import store
from relay.schema.catalog import SchemaVersion, State

EVENT_TYPE = "order.noted"
SUBJECT = "events.orders-relay.events.tests.OrderNoted"

Connection = psycopg.Connection[Any]


def version(
    number: int, avsc: dict[str, Any] | None = None, state: State = State.PROPOSED
) -> SchemaVersion:
    """A version of order.noted; every number has a text of its own."""
    avsc = avsc or {
        "type": "record",
        "name": "OrderNoted",
        "namespace": "relay.events.tests",
        "fields": [{"name": f"field{number}", "type": "string"}],
    }
    return SchemaVersion(
        event_type=EVENT_TYPE,
        aggregate_type="order",
        version=number,
        state=state,
        avsc=avsc,
        text=json.dumps(avsc),
        record_name="relay.events.tests.OrderNoted",
        subject=SUBJECT,
        path=Path(f"{EVENT_TYPE}.v{number}.avsc"),
    )


def bring(connection: Connection, wanted: SchemaVersion, state: State) -> None:
    """Brings a new version to `state` by the transitions alone: anna proposes, ben approves.

    Activating leaves the one that was active deprecated.
    """
    event_type, number = wanted.event_type, wanted.version
    assert store.propose(connection, wanted, "anna", None)
    if state is State.PROPOSED:
        return
    assert store.approve(connection, wanted, "ben", "looks good")
    if state is State.APPROVED:
        return
    known = store.decisions(connection, event_type)
    replaces = next((each.version for each in known if each.state is State.ACTIVE), None)
    assert store.activate(connection, wanted, "anna", None, replaces=replaces)
    if state is State.ACTIVE:
        return
    assert store.deprecate(connection, event_type, number, "anna", None, sunset=None)
    if state is State.DEPRECATED:
        return
    seen = State.DEPRECATED
    assert store.retire(connection, event_type, number, "anna", None, seen=seen, forced=False)


def states(connection: Connection) -> dict[int, str]:
    """Version -> state of order.noted."""
    return {each.version: each.state.value for each in store.decisions(connection, EVENT_TYPE)}
