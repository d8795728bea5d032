"""H41, H42: what a handler does to its transaction, its session or the server is its own event's
failure, and nobody else's."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from relay.consume.handler_session import ends_transaction
from relay.errors import DatabaseUnavailable
from tests.integration.consuming import Counted, World, act
from tests.stack import until

Leave = Callable[[psycopg.Connection[Any]], object]


def run(statement: str) -> Leave:
    return lambda connection: connection.execute(statement)


class Shout(psycopg.adapt.Loader):
    """Reads text in another way than usual."""

    def load(self, data: Any) -> str:
        return bytes(data).decode().upper()


LEFT: dict[str, Leave] = {
    "row_factory": lambda c: setattr(c, "row_factory", dict_row),
    "cursor_factory": lambda c: setattr(c, "cursor_factory", psycopg.ClientCursor),
    "loader": lambda c: c.adapters.register_loader("text", Shout),
    "prepare_threshold": lambda c: setattr(c, "prepare_threshold", 0),
    "role": run("set role pg_monitor"),
    "search_path": run("set search_path = nowhere"),
    "statement_timeout": run("set statement_timeout = 1234"),
    "lock_timeout": run("set lock_timeout = 1234"),
    "isolation": run("set session characteristics as transaction isolation level serializable"),
    "read_only": run("set default_transaction_read_only = on"),
    "time_zone": run("set timezone = 'Asia/Tokyo'"),
    "date_style": run("set datestyle = 'German'"),
    "custom": run("select set_config('app.tenant', 'one', false)"),
    "advisory_lock": run("select pg_advisory_lock(4711)"),
    "listen": run("listen something"),
    "hidden in a function": lambda c: c.execute("select sets_a_path()"),
    "cursor_with_hold": run("declare kept cursor with hold for select 1"),
}


def seen(connection: psycopg.Connection[Any]) -> list[Any]:
    """The session as a handler finds it."""
    names = [
        "search_path", "statement_timeout", "lock_timeout", "default_transaction_isolation",
        "transaction_isolation", "default_transaction_read_only", "timezone", "datestyle",
    ]  # fmt: skip
    return [
        connection.prepare_threshold,
        type(connection.execute("select 'x' as x").fetchone()),
        connection.execute("select 'x'::text").fetchone(),
        connection.cursor_factory,
        *[connection.execute("select current_setting(%s)", [name]).fetchone() for name in names],
        connection.execute("select current_user, current_setting('app.tenant', true)").fetchone(),
        connection.execute(
            "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
        ).fetchone(),
        connection.execute("select count(*) from pg_listening_channels()").fetchone(),
        connection.execute("select count(*) from pg_cursors where is_holdable").fetchone(),
    ]


@pytest.mark.parametrize("name", LEFT)
def test_what_a_handler_leaves_in_its_session_does_not_reach_the_next_event(
    world: World, name: str
) -> None:
    # Given events that one lane handles one by one
    world.rows(
        "create function sets_a_path() returns text language sql "
        "as $$ select set_config('search_path', 'nowhere', false) $$"
    )
    world.send([("a", 1), ("a", 2), ("a", 3)])
    group = world.new_group(lanes=1, batch=1)
    sessions: list[list[Any]] = []

    @group.handles(Counted)
    def handler(event: Counted, context: Any) -> None:
        sessions.append(seen(context.connection))
        act(event, context)
        # When one of them leaves something behind
        if event.number == 2:
            LEFT[name](context.connection)

    world.until_idle(group)
    # Then the next finds the session as the first did, and each is handled once
    assert sessions[2][-4][1] in (None, "")  # a setting without a default, once set, is empty
    sessions[2][-4] = sessions[0][-4]
    assert sessions[2] == sessions[0]
    assert world.numbers("a") == [1, 2, 3]
    assert world.rows("select count(*) from inbox.processed") == [(3,)]


ENDS = [
    "commit",
    "COMMIT WORK",
    "commit and chain",
    "  /* all */ commit -- now",
    "end",
    "abort",
    "rollback",
    "rollback; begin",
    "select 1; commit; begin",
    "start transaction",
    "begin isolation level serializable",
    "prepare transaction 'x'",
]
BYPASSES: dict[str, Leave] = {
    "a cursor of its own": lambda c: psycopg.ClientCursor(c).execute("commit"),
    "libpq": lambda c: c.pgconn.exec_(b"commit; begin"),
    "libpq without a new one": lambda c: c.pgconn.exec_(b"commit"),
    "libpq, rolled back": lambda c: c.pgconn.exec_(b"rollback; begin"),
}


@pytest.mark.parametrize("how", [*ENDS, *BYPASSES])
def test_a_handler_that_ends_its_transaction_is_dead_and_settles_nothing_else(
    world: World, how: str
) -> None:
    # Given fifty events that come at once; what goes round psycopg's cursors is only seen
    # afterwards, when the effects of the events before it in a batch are committed
    world.send([(f"k{number}", number) for number in range(50)])
    group = world.new_group(lanes=1, batch=50 if how in ENDS else 1)

    @group.handles(Counted)
    def handler(event: Counted, context: Any) -> None:
        act(event, context)
        # When the first one that is handled ends the transaction
        if event.number == first:
            BYPASSES.get(how, run(how))(context.connection)

    first = world.records(world.topic)[0].value()[-1] // 2
    world.until_idle(group)
    # Then it is dead, and each other one has acted once
    ((attempt, error),) = world.rows("select attempt, error from inbox.dead_letters")
    assert attempt == 1
    assert "transaction" in error
    others = world.rows("select number from effects where number <> %s", first)
    assert sorted(n for (n,) in others) == [n for n in range(50) if n != first]
    assert world.rows("select count(*) from inbox.processed") == [(49,)]
    if how in ENDS:
        assert world.rows("select count(*) from effects where number = %s", first) == [(0,)]


@pytest.mark.parametrize("statement", ENDS)
def test_statements_that_end_a_transaction_are_known(statement: str) -> None:
    assert ends_transaction(statement)
    assert ends_transaction(f"select ';'; {statement}")


@pytest.mark.parametrize(
    "statement",
    [
        "select 1",
        "rollback to savepoint s",
        "rollback work to s",
        "insert into t values ('; commit')",
        "insert into t values (E'\\'; commit')",
        'select 1 as "a; commit"',
        "select $$; commit; $$",
        "select $x$; commit; $x$",
        "select case when true then 1 end",
        "-- commit\nselect 1",
        "select 1; /* ; commit; */ select 2",
        "update commit set x = 1",
        "prepare q as select 1",
    ],
)
def test_statements_that_only_look_like_it_are_let_through(statement: str) -> None:
    assert not ends_transaction(statement)


def test_a_composed_statement_that_ends_the_transaction_is_refused(world: World) -> None:
    world.send([("a", 1)])
    group = world.new_group()

    @group.handles(Counted)
    def handler(_: Counted, context: Any) -> None:
        context.connection.execute(sql.SQL("com{}").format(sql.SQL("mit")))

    world.until_idle(group)
    assert world.rows("select attempt from inbox.dead_letters") == [(1,)]


@pytest.mark.parametrize("open_", ["transaction", "pipeline"])
def test_a_block_that_a_handler_leaves_open_swallows_nothing_of_the_lane(
    world: World, open_: str
) -> None:
    # Given a handler that enters a block of its connection and never leaves it, for one event
    world.send([(f"k{number}", number) for number in range(30)])
    group = world.new_group(lanes=1, batch=10)
    blocks: list[Any] = []

    @group.handles(Counted)
    def handler(event: Counted, context: Any) -> None:
        act(event, context)
        if event.number == 7:
            blocks.append(getattr(context.connection, open_)())
            blocks[-1].__enter__()

    world.until_idle(group, max_attempts=2)
    # Then that event is dead, and each other one has acted once
    assert len(world.rows("select 1 from inbox.dead_letters")) == 1
    found = Counter(n for (n,) in world.rows("select number from effects"))
    assert found == {number: 1 for number in range(30) if number != 7}


def exhaust(connection: psycopg.Connection[Any]) -> None:
    """Needs more than the server grants (53400)."""
    connection.execute("set local temp_file_limit = '64kB'")
    connection.execute("set local work_mem = '64kB'")
    connection.execute("select count(*) from (select g from generate_series(1, 200000) g "
                       "order by md5(g::text)) as sorted").fetchone()  # fmt: skip


def lose_its_session(connection: psycopg.Connection[Any]) -> None:
    """As a statement that crashes its backend each time."""
    connection.execute("select pg_terminate_backend(pg_backend_pid())")


def elsewhere(_: psycopg.Connection[Any]) -> None:
    """Another server of the handler's is away."""
    psycopg.connect("host=127.0.0.1 port=9 connect_timeout=1")


def raise_(error: Exception) -> Leave:
    def handler(_: psycopg.Connection[Any]) -> None:
        raise error

    return handler


OUTAGES_OF_ITS_OWN: dict[str, Leave] = {
    "limit": exhaust,
    "crash": lose_its_session,
    "another server": elsewhere,
    "another server starts": raise_(psycopg.errors.CannotConnectNow("starting")),
    "another server is read-only": raise_(psycopg.errors.ReadOnlySqlTransaction("standby")),
    "a relay's own error": raise_(DatabaseUnavailable("another database")),
}


@pytest.mark.parametrize("name", OUTAGES_OF_ITS_OWN)
def test_what_looks_like_an_outage_each_time_is_a_failed_attempt_and_others_go_on(
    world: World, name: str
) -> None:
    # Given an event whose handler brings itself down, each time, and others in its lane
    world.send([("a", 1), ("b", 2), ("a", 3)])
    group = world.new_group(lanes=1)

    @group.handles(Counted)
    def handler(event: Counted, context: Any) -> None:
        act(event, context)
        if event.number == 1:
            OUTAGES_OF_ITS_OWN[name](context.connection)

    world.until_idle(group, max_attempts=4)
    # Then it is dead after its attempts, one of them parked, and the others have acted
    assert world.rows("select attempt from inbox.dead_letters") == [(4,)]
    assert (world.numbers("a"), world.numbers("b")) == ([3], [2])


def test_handlers_that_meet_in_a_deadlock_have_not_failed(world: World) -> None:
    # Given two handlers that lock the same two rows in opposite order, at once
    world.rows("create table accounts as select n from generate_series(1, 2) n")
    group = world.new_group(lanes=8, batch=1)
    met, meeting = [0], threading.Barrier(2)
    attempts: list[int] = []

    @group.handles(Counted)
    def handler(event: Counted, context: Any) -> None:
        attempts.append(context.attempt)
        lock = "select from accounts where n = %s for update"
        context.connection.execute(lock, [event.number])
        if met[0] < 2:
            met[0] += 1
            meeting.wait(20)
        context.connection.execute(lock, [3 - event.number])
        act(event, context)

    # (keys of two lanes)
    world.send([("a", 1), ("b", 2)])
    with world.running(group, max_attempts=1):
        until(lambda: world.rows("select count(*) from effects") == [(2,)])
    # Then the one that the server chose is handled again, as its first attempt
    assert len(attempts) == 3
    assert set(attempts) == {1}
    assert world.rows("select count(*) from inbox.dead_letters") == [(0,)]


def test_an_event_is_not_blamed_for_what_another_one_of_its_batch_did(world: World) -> None:
    # Given a batch in which one handler leaves the session idle until the server ends it
    world.send([("a", 1), ("b", 2)])
    group = world.new_group(lanes=1)
    slept: list[int] = []

    @group.handles(Counted)
    def handler(event: Counted, context: Any) -> None:
        if not slept:
            slept.append(event.number)
            threading.Event().wait(1.5)
        else:
            act(event, context)

    # When the next one finds it gone, where each event has one attempt
    world.until_idle(group, max_attempts=1, session_timeout_ms=1_000)
    # Then neither is dead
    assert world.rows("select count(*) from inbox.dead_letters") == [(0,)]
    assert world.rows("select count(*) from inbox.processed") == [(2,)]
