"""Writes odd rows to a relay's outbox while it runs, and checks what became of each."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import psutil
import psycopg
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from relay.operate.timeline import read_timeline
from relay.operate.xray import look
from relay.postgres.connect import connect
from relay.schema.catalog import Catalog
from tests.fuzz.rows import LIMIT, SCHEMAS, statement
from tests.relaying import Relay
from tests.stack import until

__all__ = ["SETTINGS", "Report", "fuzz"]

# Of the relay: dead after two quick attempts.
SETTINGS = {"backoff_initial_ms": "50", "backoff_max_ms": "100", "max_attempts": "2"}
WORKERS = 2
_LOOKED_AT = 200
# Neither published, nor held with a state in which nothing more is to be done now.
_UNSETTLED = """
    select count(*) from outbox.domain_events e
    where not exists (select from outbox.deliveries d where d.seq = e.seq and d.copy = 0)
      and not exists (
          select from outbox.holds h
          where h.seq = e.seq and (h.state = 'dead' or h.attempts = 0)
            and (h.state <> 'held' or exists (
                select from outbox.holds f
                where f.aggregate_type = h.aggregate_type and f.aggregate_id = h.aggregate_id
                  and f.seq < h.seq and (f.state = 'dead' or f.state = 'failing' and f.attempts = 0)
            ))
      )"""
# The same without a look at the head of each aggregate, and so cheap enough to be asked often.
_UNSEEN = """
    select (select count(*) from outbox.domain_events)
        - (select count(*) from outbox.deliveries where copy = 0)
        - (select count(*) from outbox.holds where state <> 'failing' or attempts = 0)"""
_STATES = """
    select coalesce(h.state, case when d.seq is null then 'missing' else 'published' end),
        h.error
    from outbox.domain_events e
    left join outbox.deliveries d on d.seq = e.seq and d.copy = 0
    left join outbox.holds h on h.seq = e.seq"""


@dataclass
class Report:
    """What became of the rows. refused: by the database or its driver, by reason. reasons: of held
    rows, shortened. problems: what should not have happened."""

    rows: int
    refused: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def lines(self) -> Iterator[str]:
        """The report for a person."""
        written = sum(self.states.values())
        yield f"{self.rows} rows, {written} written, in {self.seconds:.0f} s"
        for title, counts in (
            ("refused", self.refused),
            ("state", self.states),
            ("reason", self.reasons),
        ):
            yield from (f"{title:8} {count:7} {name}" for name, count in counts.most_common())
        yield from (f"PROBLEM  {problem}" for problem in self.problems)


def fuzz(relay: Relay, seed: int, numbers: Iterable[int], patience: float) -> Report:
    """Writes rows by their numbers while two workers run, and waits until all of them are settled.

    patience: seconds for the workers to settle what is left when all is written.
    """
    began = time.monotonic()
    prepare(relay)
    numbers = list(numbers)
    report = Report(len(numbers))
    with relay.running("--workers", str(WORKERS)) as supervisor:
        workers = psutil.Process(supervisor.pid)
        until(lambda: len(workers.children()) == WORKERS, timeout=120, what="the workers")
        before = {child.pid for child in workers.children()}
        write(relay, seed, numbers, report)
        try:
            until(
                lambda: relay.sql(_UNSEEN) == [(0,)] and relay.sql(_UNSETTLED) == [(0,)],
                timeout=patience,
                what="settled rows",
            )
        except AssertionError as error:
            report.problems.append(str(error))
        if supervisor.poll() is not None or {c.pid for c in workers.children()} != before:
            report.problems.append(f"a worker was restarted: {relay.log()[-3000:]}")
    judge(relay, report)
    report.seconds = time.monotonic() - began
    return report


def prepare(relay: Relay) -> None:
    """Adds the event types, and lowers the limit of the topic."""
    for event_type, fields in SCHEMAS.items():
        relay.add_event_type(event_type, fields)
    relay.must("schemas", "register")
    servers = {"bootstrap.servers": relay.environment["EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"]}
    entry = ConfigEntry(
        "max.message.bytes", str(LIMIT), incremental_operation=AlterConfigOpType.SET
    )
    resource = ConfigResource("topic", relay.topic, incremental_configs=[entry])
    admin = AdminClient(servers)
    for done in admin.incremental_alter_configs([resource]).values():
        done.result(20)


def write(relay: Relay, seed: int, numbers: list[int], report: Report) -> None:
    """Writes the rows under the role of publishing services, each in its own transaction."""
    fingerprint = Catalog.load(relay.folder / "schemas").active("counted").fingerprint
    with psycopg.connect(relay.database_url, autocommit=True) as connection:
        connection.execute("set role outbox_writer")
        for number in numbers:
            query, parameters = statement(seed, number, fingerprint)
            try:
                connection.execute(query, parameters)
            except (psycopg.DataError, psycopg.IntegrityError, psycopg.OperationalError,
                    psycopg.InternalError, psycopg.ProgrammingError) as error:  # fmt: skip
                report.refused[_refusal(error)] += 1
                if connection.closed:
                    report.problems.append(f"row {number} closed the connection: {error}")
                    return


def judge(relay: Relay, report: Report) -> None:
    """Checks rows and topics, that the relay is idle, and that people can look at the rows."""
    idle = relay.command("run", "--until-idle")
    if idle.returncode:
        report.problems.append(f"not idle at the end: {idle.stderr[-2000:]}")
    for state, error in relay.sql(_STATES):
        report.states[state] += 1
        if state == "missing" or (state != "published" and not error):
            report.problems.append(f"a row is {state} without a reason")
        elif error:
            report.reasons[_shortened(error)] += 1
    verified = relay.command("verify", "--json")
    if verified.returncode:
        report.problems.append(f"verify: {verified.stdout} {verified.stderr[-2000:]}")
    for words in (("dlq", "list", "--json"), ("status", "--json")):
        done = relay.command(*words)
        if done.returncode:
            report.problems.append(f"relay {' '.join(words)}: {done.stderr[-2000:]}")
    report.problems += sorted(set(_tracebacks(relay.log())))
    report.problems += _unreadable(relay)


def _unreadable(relay: Relay) -> Iterator[str]:
    """What a person can't look at: some rows, and the timelines of their aggregates."""
    catalog = Catalog.load(relay.folder / "schemas")
    some = relay.sql(
        "select id, aggregate_type, aggregate_id from outbox.domain_events e "
        "order by length(aggregate_id) > 9 desc, md5(id) limit %s",
        [_LOOKED_AT],
    )
    with connect(relay.database_url) as connection:
        for event_id, aggregate_type, aggregate_id in some:
            try:
                found = look(connection, catalog, event_id, lambda *_: {})
                assert found is not None
                json.dumps(found.to_json(), ensure_ascii=False).encode()
                read_timeline(connection, aggregate_type, aggregate_id, related=True)
            except Exception as error:
                yield f"event {event_id!r} can't be looked at: {error!r}"[:500]


def _tracebacks(log: str) -> Iterator[str]:
    for block in log.split("Traceback (most recent call last):")[1:]:
        last = next((line for line in block.splitlines() if line and line[0] != " "), "?")
        yield f"a traceback in the log: {last[:300]}"


def _refusal(error: psycopg.Error) -> str:
    words = error.diag.message_primary or str(error)
    return f"{type(error).__name__}: {_shortened(words)}"


def _shortened(words: str) -> str:
    return re.sub(r"\d+", "N", re.sub(r"'.*'|\".*\"|\$.*?:", "…", words, flags=re.S))[:90]
