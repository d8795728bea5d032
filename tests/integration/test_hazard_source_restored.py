"""Hazards of a server whose files were restored from a copy: it gives out ids and numbers again."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from relay.local.postgres import LocalPostgres
from relay.postgres.migrate import migrate
from tests.relaying import Relay
from tests.stack import until


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPostgres]:
    """A server whose folder may be copied and put back."""
    own = LocalPostgres(tmp_path_factory.mktemp("restored"), settings={"autovacuum": "off"})
    own.start()
    yield own
    own.kill()


@pytest.mark.parametrize(
    "meanwhile",
    [
        "nothing",  # the ids that the position has passed are still to be given out
        "an open transaction",  # one of them belongs to an open transaction
        "rows",  # they belong to rows again, and the server's log has come further than it was
    ],
)
def test_a_server_restored_from_a_copy_of_its_files_loses_and_doubles_nothing(
    server: LocalPostgres, make_relay: Callable[..., Relay], meanwhile: str
) -> None:
    url = server.create_database(f"outbox_{uuid.uuid4().hex[:8]}")
    migrate(url)
    relay = make_relay(database_url=url, shards="1", session_timeout_ms="6000")
    relay.publish("a", 0)
    relay.must("run", "--until-idle")
    # Given a copy of a stopped server's files
    server.stop()
    copy = server.dir / "copy"
    _copy(server.data, copy)
    # and one transaction of the relay since, whose flags are not written
    server.start()
    burnt = 10
    with relay.running() as worker:
        flags = psycopg.connect(url)
        flags.execute("lock table outbox.deliveries in exclusive mode")
        with psycopg.connect(url) as services:
            for _ in range(burnt):
                services.execute("select pg_current_xact_id()")
                services.rollback()
        relay.publish("gone", 0)
        until(lambda: len(relay.published()) == 2)
        worker.kill()
        worker.wait()
        flags.close()
    # When the copy is put back, and services publish before the worker or after it
    server.kill()
    shutil.rmtree(server.data)
    _copy(copy, server.data)
    server.start()
    count = 3 * burnt
    late = psycopg.connect(url)
    if meanwhile == "an open transaction":
        late.execute("select outbox.publish('counted', 'counter', 'late', '{\"number\": 1}')")
    if meanwhile != "nothing":
        for number in range(count):
            relay.publish("before", number)
        relay.sql("select count(pg_logical_emit_message(false, '', repeat('.', 1000000)))")
    with relay.running():
        until(lambda: relay.log().count("taken over") == 2, timeout=40, what="taken over")
        late.commit()
        late.close()
        for number in range(count):
            relay.publish("after", number)
        until(
            lambda: (
                relay.sql(
                    "select count(*) from outbox.domain_events e where not exists "
                    "(select from outbox.deliveries d where d.seq = e.seq)"
                )
                == [(0,)]
            ),
            timeout=60,
            what=f"all rows delivered; log: {relay.log()[-3000:]}",
        )
    # Then every row of the server is in the topic once, and flagged where it is
    places = {record.event_id: record[:3] for record in relay.published()}
    assert len(places) == len(relay.published())
    for row in relay.status():
        assert places[row["id"]] == (row["topic"], row["partition"], row["kafka_offset"])
    assert len(places) == len(relay.status()) + 1  # and what the restored server does not know
    # which is named
    assert "its row is gone" in relay.log()


def _copy(folder: Path, to: Path) -> None:
    """With the files' owners, which shutil leaves out."""
    subprocess.run(["cp", "-a", str(folder), str(to)], check=True)
