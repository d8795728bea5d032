"""A breaking change carried through, by the steps and files of docs/breaking-changes.md."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from relay.bus import DomainEventBus
from tests.relaying import Record, Relay, end, kill_a_worker
from tests.stack import until

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "breaking-changes.md"
ORDERS = 8
PAID_AT = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)

CONSUMER = """
from relay.consume import Group
from schemas.{domain}.events import {event_class}

group = Group("{group}")


@group.handles({event_class})
def paid(event, context):
    broken = context.connection.execute(
        "select 1 from broken where order_id = %s", (event.aggregate_id,)
    ).fetchone()
    if broken:
        raise RuntimeError("the books are closed")
    context.connection.execute(
        "insert into effects (group_name, order_id, attempt, amount, currency, seen_as, caused_by) "
        "values (%s, %s, %s, %s, %s, %s, %s)",
        ("{group}", event.aggregate_id, event.attempt, event.{amount}, event.{currency},
         "{event_class}", context.event_id),
    )
"""
FIELDS = {
    "OrderPaid": {"amount": "amount", "currency": "currency"},
    "OrderPaidV2": {"amount": "captured.amount", "currency": "captured.currency"},
}


class Shop:
    """The domain of a relay that is made of the guide's files, its groups and its publishers."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.folder = relay.folder / "schemas" / relay.domain
        self.written: dict[str, tuple[str, int, str]] = {}
        self._attempts: dict[str, int] = defaultdict(int)
        self._domain: Any = None
        self._packages = 0
        relay.sql("create table broken (order_id text primary key)")
        relay.sql(
            """create table effects (
                   id bigint generated always as identity, group_name text, order_id text,
                   attempt integer, amount numeric, currency text, seen_as text, caused_by text
               )"""
        )

    def file(self, language: str) -> str:
        """The guide's file in a language, moved to this domain."""
        (text,) = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text(), re.M | re.S)
        return self._here(text)

    def add(self, event_type: str, entry: dict[str, Any], avsc: str) -> None:
        """Adds an event type with a first version to the catalog."""
        self.edit(lambda events: events.update({event_type: entry}))
        (self.folder / f"{event_type}.v1.avsc").write_text(self._here(avsc))

    def edit(self, change: Callable[[dict[str, Any]], Any]) -> None:
        """Changes the events of the domain file."""
        file = self.folder / "domain.yaml"
        content = yaml.safe_load(file.read_text())
        change(content["events"])
        file.write_text(yaml.safe_dump(content))

    def generate(self) -> None:
        """Writes the classes and reads them in, as a publisher's new release would."""
        self.relay.must("schemas", "generate")
        self._packages += 1
        name = f"classes_{self.relay.domain}_{self._packages}"
        folder = self.relay.folder / "schemas"
        spec = spec_from_file_location(
            name, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = package = module_from_spec(spec)
        spec.loader.exec_module(package)
        self._domain = import_module(f"{name}.{self.relay.domain}.events")

    def review(self, event_type: str) -> None:
        """Proposes, approves and activates version 1."""
        self.relay.must("schemas", "propose", event_type, "1", "--by", "anna")
        reason = ("--reason", "looked at diff, probe and converter")
        self.relay.must("schemas", "approve", event_type, "1", "--by", "ben", *reason)
        self.relay.must("schemas", "activate", event_type, "1", "--by", "anna")
        self.edit(lambda events: events[event_type]["versions"].update({1: "active"}))

    def write(self, count: int, major: int = 1) -> None:
        """Writes events, every other one by SQL, each with the next number of its order."""
        with psycopg.connect(self.relay.database_url) as connection:
            for index in range(count):
                order = f"order-{index % ORDERS}"
                self._attempts[order] += 1
                self._write(connection, order, self._attempts[order], major, by_sql=index % 2 == 0)
                connection.commit()

    @contextmanager
    def writing(self, major: int = 1) -> Iterator[None]:
        """Publishers at work in the background."""
        stop = threading.Event()

        def run() -> None:
            while not stop.wait(0.1):
                self.write(ORDERS, major)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    @contextmanager
    def consuming(self, group: str, event_class: str) -> Iterator[Any]:
        """A group in a process of its own, with a handler of that class."""
        (self.relay.folder / f"{group}.py").write_text(
            CONSUMER.format(
                domain=self.relay.domain,
                group=group,
                event_class=event_class,
                **FIELDS[event_class],
            )
        )
        process = self.relay.start("consume", group, EVENT_BUS_CONSUMERS=group)
        try:
            yield process
        finally:
            end(process)

    def effects(self, group: str) -> list[tuple[Any, ...]]:
        """What the group did, in the order of its doing."""
        return self.relay.sql(
            "select order_id, attempt, amount, currency, caused_by, seen_as from effects "
            "where group_name = %s order by id",
            (group,),
        )

    def await_effects(self, group: str, count: int) -> None:
        """Waits for effects of a group; a failure names events it lacks and what was logged."""
        try:
            until(lambda: len(self.effects(group)) >= count, timeout=120)
        except AssertionError:
            done = {effect[4] for effect in self.effects(group)}
            missing = [event_id for event_id in self.written if event_id not in done]
            raise AssertionError(
                f"{group} acted on {len(done)} events of {count}; it lacks {len(missing)}, "
                f"the first are {missing[:5]}\n{self.relay.log()[-3000:]}"
            ) from None

    def records(self) -> dict[str, list[Record]]:
        """Committed records of order.paid and order.paid.v2, by the id of their outbox row."""
        found: dict[str, list[Record]] = defaultdict(list)
        for record in self.relay.published():
            found[record.headers.get("ce_originalid", record.event_id)].append(record)
        return found

    def write_late(self) -> str:
        """A row of order.paid from a writer that no one has told of its end; its id."""
        event = self._event("order-late", 1, Decimal(1), major=1)
        rows = self.relay.sql(
            "insert into outbox.domain_events (event_type, schema_version, aggregate_type, "
            "aggregate_id, payload) values ('order.paid', 1, 'order', 'order-late', %s::jsonb) "
            "returning id",
            (json.dumps(event.to_json()),),
        )
        return str(rows[0][0])

    def _write(
        self,
        connection: psycopg.Connection[Any],
        order: str,
        attempt: int,
        major: int,
        by_sql: bool,
    ) -> None:
        amount = f"{attempt}.25"
        event = self._event(order, attempt, Decimal(amount), major)
        if by_sql:
            row = connection.execute(
                "select outbox.publish(%s, 'order', %s, %s::jsonb)",
                (event.EVENT_TYPE, order, json.dumps(event.to_json())),
            ).fetchone()
            assert row is not None
            event_id = row[0]
        else:
            event_id = DomainEventBus.publish(connection, event)
        self.written[event_id] = (order, attempt, amount)

    def _event(self, order: str, attempt: int, amount: Decimal, major: int) -> Any:
        common = {
            "aggregate_id": order, "payment_id": f"p-{attempt}", "customer_id": "c-1",
            "provider": "STRIPE", "method": "CARD", "attempt": attempt,
        }  # fmt: skip
        if major == 1:
            return self._domain.OrderPaid(
                **common, amount=amount, currency="EUR", paid_at=PAID_AT,
                fee_amount=Decimal("0.25"),
            )  # fmt: skip
        return self._domain.OrderPaidV2(
            **common, captured=self._domain.Money(amount=amount, currency="EUR"),
            captured_at=PAID_AT, fee_amount=Decimal("0.25"),
        )  # fmt: skip

    def _here(self, text: str) -> str:
        return text.replace("relay.events.orders", f"relay.events.{self.relay.domain}")


@pytest.mark.timeout(600)
def test_order_paid_gets_a_second_major_version_and_nothing_is_lost_doubled_or_out_of_order(
    make_relay: Callable[..., Relay],
) -> None:
    # Given order.paid with three readers: billing at work, timeline at work, analytics far behind
    shop = Shop(make_relay(backoff_initial_ms="50", backoff_max_ms="200", max_attempts="1000"))
    relay = shop.relay
    first = {
        "aggregate": "order",
        "versions": {1: "proposed"},
        "consumers": ["analytics", "billing", "timeline"],
    }
    shop.add("order.paid", first, (ROOT / "schemas/orders/order.paid.v1.avsc").read_text())
    shop.review("order.paid")
    relay.must("migrate")
    shop.generate()
    with (
        shop.consuming("billing", "OrderPaid") as billing,
        shop.consuming("timeline", "OrderPaid") as timeline,
    ):
        with relay.running():
            shop.write(40)
            shop.await_effects("billing", 40)
        # and rows that wait, since no worker runs
        shop.write(16)

        # When the second major version is reviewed
        shop.add(
            "order.paid.v2", yaml.safe_load(shop.file("yaml"))["order.paid.v2"], shop.file("avsc")
        )
        (shop.folder / "order_paid_v2.py").write_text(shop.file("python"))
        words = ("schemas", "check", "order.paid.v2", "--against-registry", "--json")
        (converter,) = json.loads(relay.must(*words))["converters"]
        assert (converter["passed"], converter["lost"]) == (True, [])
        shop.review("order.paid.v2")
        shop.generate()

        supervisor = relay.start("run", "--workers", "2")
        try:
            # then the rows that were written before go out under both subjects
            shop.await_effects("billing", 56)
            # and while publishers still write version 1, and a worker is killed,
            with shop.writing():
                shop.await_effects("billing", 150)
                kill_a_worker(supervisor.pid)
                shop.await_effects("billing", 300)
                # the first group moves, in the middle of its work,
                os.kill(billing.pid, signal.SIGKILL)
                billing.wait()
                with shop.consuming("billing", "OrderPaidV2"):
                    shop.await_effects("billing", len(shop.effects("billing")) + 100)
            # then publishers, while the second group still reads version 1 and is stuck at an order
            relay.must("schemas", "deprecate", "order.paid", "1", "--sunset", "2099-01-31")
            relay.sql("insert into broken values ('order-3')")
            with shop.consuming("billing", "OrderPaidV2"), ExitStack() as moved:
                with shop.writing(major=2):
                    shop.await_effects("timeline", len(shop.effects("timeline")) + 100)
                    kill_a_worker(supervisor.pid)
                    until(lambda: parked(relay, "timeline") > 2, timeout=60)
                    refused = relay.command("schemas", "retire", "order.paid", "1")
                    assert refused.returncode == 1
                    assert re.search(r"timeline .*decoded version 1 at", refused.stderr)
                    os.kill(timeline.pid, signal.SIGKILL)
                    timeline.wait()
                    moved.enter_context(shop.consuming("timeline", "OrderPaidV2"))
                    shop.await_effects("timeline", len(shop.effects("timeline")) + 100)
                relay.sql("delete from broken")
                until(lambda: parked(relay, "timeline") == 0, timeout=120)
            # then the last group, which has not read a single event yet
            with (
                shop.consuming("billing", "OrderPaidV2"),
                shop.consuming("timeline", "OrderPaidV2"),
                shop.consuming("analytics", "OrderPaidV2"),
            ):
                for group in ("billing", "timeline", "analytics"):
                    shop.await_effects(group, len(shop.written))
                shop.edit(move_readers)

                # Then version 1 retires
                until(lambda: retired(relay), timeout=60)
                before = set(shop.written)
                until(lambda: published_alone(shop, before), timeout=60)
                for group in ("billing", "timeline", "analytics"):
                    shop.await_effects(group, len(shop.written))
        finally:
            end(supervisor)

    # and every group has acted on every event once, in the order of its aggregate, with its values
    for group in ("billing", "timeline", "analytics"):
        effects = shop.effects(group)
        assert {e[4]: (e[0], e[1], str(e[2])) for e in effects} == shop.written
        assert len(effects) == len(shop.written)
        assert {e[3] for e in effects} == {"EUR"}
        for order in {e[0] for e in effects}:
            attempts = [e[1] for e in effects if e[0] == order]
            assert attempts == sorted(attempts)
    assert {e[5] for e in shop.effects("analytics")} == {"OrderPaidV2"}
    assert {e[5] for e in shop.effects("timeline")} == {"OrderPaid", "OrderPaidV2"}
    # and on the wire it was alone, then beside its copy, then alone again
    records = shop.records()
    types = [sorted(r.headers["ce_type"] for r in records[event_id]) for event_id in shop.written]
    both = ["order.paid", "order.paid.v2"]
    assert types[:40] == [["order.paid"]] * 40
    assert types[40:56] == [both] * 16
    assert ["order.paid.v2"] not in types[: len(before)]
    assert types[-1] == ["order.paid.v2"]
    assert len({r.event_id for found in records.values() for r in found}) == sum(map(len, types))
    assert all(len({r.partition for r in found}) == 1 for found in records.values())
    # but for a row that was written as order.paid at the last moment
    late = shop.write_late()
    relay.must("run", "--until-idle")
    assert sorted(r.headers["ce_type"] for r in shop.records()[late]) == both
    # and the topics hold what the flags say
    report = json.loads(relay.must("verify", "--json"))
    assert {report[name] for name in ("lost", "duplicated", "out_of_order", "wrong_flags")} == {0}
    assert report["events"] == report["in_topics"] == len(shop.written) + 1


def move_readers(events: dict[str, Any]) -> None:
    events["order.paid.v2"]["consumers"] = events["order.paid"]["consumers"]
    events["order.paid"]["consumers"] = []
    events["order.paid"]["versions"] = {1: "deprecated"}


def published_alone(shop: Shop, before: set[str]) -> bool:
    """Writes one more event of version 2; whether an event written since was published alone."""
    shop.write(1, major=2)
    until(lambda: all(row["delivered_at"] for row in shop.relay.status()))
    since = [records for event_id, records in shop.records().items() if event_id not in before]
    return any(len(records) == 1 for records in since)


def retired(relay: Relay) -> bool:
    """Whether version 1 could be retired; a group commits what it has read every half second."""
    words = ("schemas", "retire", "order.paid", "1")
    return relay.command(*words, EVENT_BUS_RETIRE_QUIET_DAYS="0").returncode == 0


def parked(relay: Relay, group: str) -> int:
    rows = relay.sql("select count(*) from inbox.parked where group_name = %s", (group,))
    return int(rows[0][0])
