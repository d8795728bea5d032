"""The tables at the end, and what in them is a problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row
from rich.table import Table

from examples.shop.demo.audit import Audit
from relay.postgres.sqlfile import load

__all__ = [
    "check_effects", "doubts", "read_numbers", "table", "unresolved", "verified", "xray",
]  # fmt: skip

# What `relay verify` reports that is to be zero when everything has arrived.
ZERO = (
    *("pending", "held", "discarded", "expired", "lost"),
    *("duplicated", "out_of_order", "wrong_flags"),
)


def read_numbers(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """The numbers of the summary by the names in summarize.sql."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(load(__package__, "summarize.sql")).fetchone()
    assert row is not None
    return row


def check_effects(connection: psycopg.Connection[Any], of_timeline: Sequence[str]) -> list[str]:
    """What the groups did that does not fit the shop's tables, one sentence each."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(load(__package__, "check_effects.sql"), {"timeline": list(of_timeline)})
        row = cursor.fetchone()
    assert row is not None
    return [f"{number} {name}" for name, number in row.items() if number]


def table(
    numbers: Mapping[str, Any],
    audit: Audit,
    phases: Sequence[tuple[str, float]],
    cpu: Mapping[str, float],
) -> Table:
    """The summary."""
    made = Table("", "events", "", title="What happened", title_justify="left")
    made.add_row(
        "written", f"{numbers['written']:,}", "each with its change and audit row, one transaction"
    )
    made.add_row("rolled back", f"{numbers['rolled_back']:,}", "never became events")
    made.add_row(
        "written by handlers", f"{numbers['by_handlers']:,}", "in the transaction of their effects"
    )
    made.add_row(
        "published", f"{numbers['published']:,}",
        f"to Kafka, median {numbers['published_ms']:.0f} ms after the commit",
    )  # fmt: skip
    for group, consumed in sorted(numbers["consumed"].items()):
        made.add_row(f"consumed by {group}", f"{consumed:,}", "effects happened once each")
    made.add_row("", "", f"median {numbers['consumed_ms']:.0f} ms from commit to handler")
    made.add_section()
    made.add_row("retried", f"{numbers['retried']:,}", "a handler failed, then it worked")
    made.add_row("parked", f"{numbers['parked']:,}", "waited for a retry, or behind one that did")
    made.add_row("dead", f"{numbers['dead']:,}", "given up, flagged on their outbox rows")
    made.add_row("resolved", f"{numbers['resolved']:,}", "replayed after the fix, flag gone")
    made.add_section()
    made.add_row("lost", _judged(audit.lost + audit.forgotten), "committed, but in no topic")
    made.add_row(
        "duplicated", _judged(audit.duplicated + audit.phantom + audit.revived),
        "twice in a topic, or never committed",
    )  # fmt: skip
    made.add_row("out of order", _judged(audit.out_of_order), "overtook one of its aggregate")
    made.add_section()
    for title, seconds in phases:
        made.add_row("", f"{seconds:.1f} s", title)
    made.add_row("", f"{sum(s for _, s in phases):.1f} s", "together")
    used = ", ".join(f"{name} {seconds:.0f}" for name, seconds in cpu.items())
    made.caption = f"CPU seconds: {sum(cpu.values()):.0f} ({used})"
    made.caption_justify = "left"
    return made


def verified(report: Mapping[str, Any]) -> Table:
    """What `relay verify` says."""
    made = Table("", "events", title="relay verify", title_justify="left")
    for name, value in report.items():
        if isinstance(value, int):
            made.add_row(name.replace("_", " "), f"{value:,}")
    return made


def doubts(report: Mapping[str, Any]) -> list[str]:
    """What `relay verify` found wrong, one sentence each."""
    return [f"relay verify: {report[name]} {name}" for name in ZERO if report.get(name)]


def xray(found: Mapping[str, Any]) -> Table:
    """`relay event show` of one event."""
    event, delivery = found["event"], found["delivery"]
    made = Table.grid(padding=(0, 2))
    made.title, made.title_justify = f"relay event show {event['id']}", "left"
    made.add_row(
        "event", f"{event['eventType']} of {event['aggregateType']} {event['aggregateId']}"
    )
    made.add_row("occurred at", event["occurredAt"])
    made.add_row("published at", delivery["delivered_at"])
    made.add_row("topic", _place(delivery))
    made.add_row("dead letter", "yes" if delivery["dead_letter"] else "no, not any more")
    for group in found["groups"]:
        tries = f"{group['attempts']} tries" if group["attempts"] != 1 else "1 try"
        words = [f"{group['state']} after {tries}"]
        if group["error"]:
            words.append(f"last error: {group['error']}")
        if group["dlq"]:
            words.append(f"dead letter in {_place(group['dlq'])}")
        made.add_row(f"group {group['group']}", "\n".join(words))
    return made


def _place(found: Mapping[str, Any]) -> str:
    return f"{found['topic']}, partition {found['partition']}, offset {found['offset']}"


def unresolved(found: Mapping[str, Any]) -> list[str]:
    """Why an event that was dead does not count as resolved."""
    states = [group["state"] for group in found["groups"]]
    if "resolved" not in states or found["delivery"]["dead_letter"]:
        return [f"event {found['event']['id']} was replayed, but its groups say {states}"]
    return []


def _judged(number: int) -> str:
    return f"[bold red]{number}[/bold red]" if number else "[bold green]0[/bold green]"
