"""What services write by SQL is published, held with a reason, or refused at once."""

from __future__ import annotations

from collections.abc import Callable

from tests.fuzz.run import SETTINGS, fuzz
from tests.relaying import Relay

SEED = 1
ROWS = 1_000


def test_odd_rows_end_published_or_held_with_a_reason_and_no_worker_ends(
    make_relay: Callable[..., Relay],
) -> None:
    relay = make_relay(**SETTINGS)

    report = fuzz(relay, SEED, range(ROWS), patience=60.0)

    assert not report.problems, "\n".join(report.lines())
    assert set(report.states) >= {"published", "dead", "held"}
    assert sum(report.states.values()) + sum(report.refused.values()) == ROWS
