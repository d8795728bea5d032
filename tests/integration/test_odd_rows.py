"""One odd row is dead by itself: no worker ends, and everybody else's events go out."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.integration.majors import CONVERTER, activate_major
from tests.relaying import Relay
from tests.stack import until

QUICK = {"backoff_initial_ms": "100", "backoff_max_ms": "200", "max_attempts": "3", "shards": "1"}
AMOUNT = {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 2}

PUBLISH = "select outbox.publish('counted', 'counter', 'odd', {payload}, {metadata})"
# Past outbox.publish, which refuses metadata that is not made of strings.
INSERT = (
    "insert into outbox.domain_events "
    "(event_type, aggregate_type, aggregate_id, payload, metadata) values "
    "('counted', 'counter', 'odd', {payload}, {metadata}) returning id"
)
PLAIN = """'{"number": 1}'"""
# The statement that writes the row, and what its error says.
ODD_ROWS = {
    "metadata, a number without end": (
        INSERT.format(payload=PLAIN, metadata="""'{"n": 1e400}'"""),
        "metadata can't be read as JSON",
    ),
    "metadata, nested": (
        INSERT.format(
            payload=PLAIN,
            metadata="""(repeat('{"a":', 2000) || '1' || repeat('}', 2000))::jsonb""",
        ),
        "metadata can't be read as JSON",
    ),
    "metadata, a known key nested": (
        INSERT.format(
            payload=PLAIN,
            metadata="""('{"actorId": ' || repeat('[', 255) || repeat(']', 255) || '}')::jsonb""",
        ),
        "actorId in the metadata can't be written",
    ),
    "payload, a number without end": (
        PUBLISH.format(payload="""'{"number": 1e400}'""", metadata="'{}'"),
        "payload can't be read as JSON",
    ),
    "payload, nested": (
        PUBLISH.format(
            payload="""('{"number": ' || repeat('[', 2000) || repeat(']', 2000) || '}')::jsonb""",
            metadata="'{}'",
        ),
        "payload can't be read as JSON",
    ),
    "payload, a decimal of 5,000 digits": (
        "select outbox.publish('paid', 'counter', 'odd', "
        "jsonb_build_object('amount', repeat('1', 5000) || '.00'))",
        "$.amount: a string of 5003 characters",
    ),
}


def assert_it_alone_is_dead(relay: Relay, odd: str, reason: str) -> None:
    """Publishes around an odd row, given the statement that writes it."""
    with relay.running() as worker:
        before = relay.publish("before", 1)
        relay.wait_until_delivered(1, timeout=60)
        odd_id = str(relay.sql(odd)[0][0])
        beside = relay.publish("beside", 1)
        state = "select state, attempts, error from outbox.holds"
        until(
            lambda: [row[:2] for row in relay.sql(state)] == [("dead", 3)],
            timeout=60,
            what="a dead row",
        )
        after = relay.publish("after", 1)
        healthy = {before, beside, after}
        until(
            lambda: healthy <= {record.event_id for record in relay.published()},
            what="the healthy events",
        )
        assert worker.poll() is None
    ((_, _, error),) = relay.sql(state)
    assert reason in error
    assert len(error) <= 500
    assert "\n" not in error
    assert odd_id not in {record.headers.get("ce_originalid", record.event_id)
                          for record in relay.published()}  # fmt: skip
    shown = json.loads(relay.must("event", "show", odd_id, "--json"))
    assert (shown["event"]["id"], shown["delivery"]["error"]) == (odd_id, error)
    assert dict(relay.sql("select id, dead_letter from outbox.domain_event_status")) == {
        odd_id: True, before: False, beside: False, after: False,
    }  # fmt: skip


@pytest.mark.parametrize("kind", ODD_ROWS)
def test_a_row_that_can_not_be_built_is_dead_and_no_worker_ends(
    make_relay: Callable[..., Relay], kind: str
) -> None:
    relay = make_relay(**QUICK)
    relay.add_event_type("paid", [{"name": "amount", "type": AMOUNT}])
    relay.must("schemas", "register")
    statement, reason = ODD_ROWS[kind]

    assert_it_alone_is_dead(relay, statement, reason)


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        ("raise SystemExit(2)", "SystemExit(2)"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise GeneratorExit", "GeneratorExit()"),
        ("return {chr(0xD800) + chr(0): 1}", "unknown field"),
    ],
    ids=["exits", "interrupts", "ends", "gives what can't be stored"],
)
def test_a_converter_that_ends_the_program_fails_its_row_alone(
    make_relay: Callable[..., Relay], does: str, reason: str
) -> None:
    relay = make_relay(**QUICK)
    usual = 'raise ValueError("nobody knows what that is now")'
    assert usual in CONVERTER
    activate_major(relay, converter=CONVERTER.replace(usual, does))
    payload = """'{"number": 1, "note": "unconvertible"}'"""

    assert_it_alone_is_dead(relay, PUBLISH.format(payload=payload, metadata="'{}'"), reason)
