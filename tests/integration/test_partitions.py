"""Monthly partitions: made ahead, begun in time, dropped only when nobody needs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg
import pytest

from relay.capture.position import BEGINNING, Position
from relay.capture.reader import OutboxReader
from relay.capture.row import Row
from relay.operate.outbox_checks import check_outbox
from relay.operate.prune import months as pruning
from relay.operate.prune.run import prune
from relay.operate.verify import verify
from relay.postgres.connect import connect
from relay.postgres.migrate import migrate
from relay.postgres.partitions import TABLES, Month, keep, months, this_month
from tests.integration.capturing import assert_captured, writing
from tests.integration.test_prune import age, ids, publish_all, read, stays
from tests.relaying import Relay


@pytest.fixture
def old(database: str) -> Month:
    """A month of long ago, in which the partitioned outbox of `database` begins."""
    migrate(database, monthly=True)
    with connect(database) as connection:
        this = months(connection)[0]
        drop(connection, months(connection))
        connection.execute("alter sequence outbox.domain_events_seq_seq restart 1")
        begun = Month(this.number - 4)
        assert len(keep(connection, begun)) == 4
    return begun


@pytest.fixture
def relay(old: Month, database: str, make_relay: Callable[..., Relay]) -> Relay:
    """A relay whose outbox has partitions from `old` on."""
    return make_relay(database_url=database, max_attempts="1")


def drop(connection: psycopg.Connection[Any], dropped: Sequence[Month]) -> None:
    """Drops partitions whatever is in them."""
    for month in dropped:
        for table in TABLES:
            connection.execute(f"drop table outbox.{month.table(table)}")


def begin(relay: Relay, month: Month) -> None:
    """What a worker does when a month begins."""
    with connect(relay.database_url) as connection:
        keep(connection, month)


def partitions(relay: Relay) -> list[Month]:
    with connect(relay.database_url) as connection:
        return months(connection)


def test_a_month_goes_when_nobody_needs_an_event_of_it(relay: Relay, old: Month) -> None:
    # Given events of two old months and of the present one, one of them held
    first = [relay.publish(f"a{number % 3}", number) for number in range(9)]
    held = relay.insert("c", 1, "unheard_of")
    begin(relay, old.after)
    second = [relay.publish(f"a{number % 3}", number) for number in range(9, 12)]
    # and a worker that begins the present month
    publish_all(relay)
    now = partitions(relay)[-4]
    third = relay.publish("a0", 12)
    publish_all(relay)
    assert [month for (seq,) in relay.sql("select seq from outbox.domain_events order by seq")
            for month in [Month.of_seq(seq)]][-2:] == [old.after, now]  # fmt: skip
    assert verify(relay.settings()).sound
    age(relay, 40, *first, *second)

    # When nobody has read them, then both months stay
    report = prune(relay.settings())
    assert old in partitions(relay)
    assert any("has not read" in reason for reason in stays(report, f"partition {old.after}"))

    # When all are read, then the month without a held event goes, with a look before
    read(relay)
    dry = prune(relay.settings(), dry_run=True)
    assert old.after in partitions(relay)
    report = prune(relay.settings())
    assert dry.parts == report.parts
    assert old.after not in partitions(relay)
    assert old in partitions(relay)
    assert stays(report, f"partition {old}") == {"dead": 1}
    assert stays(report, f"partition {now}") == {"it is written to": 0}
    assert ids(relay) == [*first, held, third]
    counts = verify(relay.settings()).counts
    assert (counts["pruned"], counts["without_row"], counts["lost"]) == (3, 0, 0)
    shown = relay.command("event", "show", second[0])
    assert f"with the partition of {old.after}" in shown.stderr


def test_a_row_that_comes_while_its_month_is_judged_keeps_it(
    relay: Relay, old: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a month that may go, and a transaction of that month that commits just then
    relay.publish("a", 1)
    publish_all(relay)
    read(relay)
    age(relay, 40)
    begin(relay, old.after)
    drop_month = pruning._drop

    def drop_later(*given: Any) -> None:
        relay.sql(
            "insert into outbox.domain_events "
            "(seq, event_type, aggregate_type, aggregate_id, payload) overriding system value "
            "select max(seq) + 1, 'counted', 'counter', 'b', '{}' from outbox.domain_events"
        )
        drop_month(*given)

    monkeypatch.setattr(pruning, "_drop", drop_later)
    # When it is pruned, then it stays, and nothing is noted of it
    report = prune(relay.settings())
    assert old in partitions(relay)
    assert stays(report, f"partition {old}") == {"not published": 1}
    assert relay.sql("select count(*) from outbox.pruned") == [(0,)]


def test_a_month_stays_while_the_table_is_in_use(
    relay: Relay, old: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a month that may go, and a publishing service in the middle of its transaction
    relay.publish("a", 1)
    publish_all(relay)
    read(relay)
    age(relay, 40)
    begin(relay, old.after)
    monkeypatch.setattr(pruning, "_TRIES", 1)
    with psycopg.connect(relay.database_url) as service:
        service.execute("select outbox.publish('counted', 'counter', 'b', '{\"number\": 1}')")
        # When it is pruned, then it stays, and nothing is noted of it
        report = prune(relay.settings())
    assert old in partitions(relay)
    assert any("open transactions" in reason for reason in stays(report, f"partition {old}"))
    assert relay.sql("select count(*) from outbox.pruned") == [(0,)]
    # and goes afterwards
    prune(relay.settings())
    assert old not in partitions(relay)


def test_publishing_never_lacks_a_partition(relay: Relay, old: Month) -> None:
    # Given an outbox whose later partitions are gone, and no worker for years
    with connect(relay.database_url) as connection:
        drop(connection, partitions(relay)[1:])
    # When services publish, then their events go on in the last month
    relay.publish("a", 1)
    with connect(relay.database_url) as connection:
        assert "partitions" in {found.check for found in check_outbox(connection)}
    assert Month.of_seq(relay.sql("select max(seq) from outbox.domain_events")[0][0]) < old.after
    # and two that begin the next month at once never give a number twice
    begin(relay, old.after)
    relay.publish("a", 2)
    begin(relay, old.after)
    relay.publish("a", 3)
    numbers = [seq for (seq,) in relay.sql("select seq from outbox.domain_events order by seq")]
    assert numbers[1:] == [old.after.start + 1, old.after.start + 2]
    publish_all(relay)
    assert [record.headers["ce_sequence"] for record in relay.published()] == list(
        map(str, numbers)
    )


def test_nothing_is_lost_twice_or_reordered_while_months_begin(old: Month, database: str) -> None:
    # Given writers of every kind on a partitioned outbox
    captured: list[Row] = []
    position = Position(BEGINNING)
    month, pages, ended = old, 0, False
    with connect(database) as connection, writing(database, transactions=12, seed=4) as writers:
        reader = OutboxReader(connection, shards=4, page_rows=7)
        # When they are read in pages of seven, and a month begins at every twentieth
        while True:
            over = not writers.is_alive()
            _, page = reader.read(position, None, None)
            if page is None and ended:
                break
            ended = over
            if page is None:
                continue
            captured += page.rows
            position = page.step.position()
            pages += 1
            if pages % 20 == 0 and month < this_month(connection):
                month = month.after
                with connect(database) as other:
                    keep(other, month)
    # Then each committed row was read once and in its aggregate's order
    assert_captured(database, captured)
    assert month > old.after


def test_an_outbox_without_partitions_is_refused_them(relay: Relay, database_url: str) -> None:
    there = {"EVENT_BUS_DATABASE_URL": database_url}
    refused = relay.command("migrate", "--partitions", "monthly", **there)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "without partitions, and are not converted" in refused.stderr
    # and one with them keeps them whatever is said later
    before = partitions(relay)
    migrate(relay.database_url)
    migrate(relay.database_url, monthly=True)
    assert partitions(relay)[: len(before)] == before
