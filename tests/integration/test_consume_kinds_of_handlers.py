"""Handlers as people write them: plain, asynchronous, with SQLAlchemy's sessions, in batches.

Whatever they take, all that they write is in the one transaction of the group.
"""

# Annotations are read at run time.
from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from relay.consume import Context, watchdog, worker
from relay.errors import RelayError
from relay.outbox.context import current_context
from tests.integration.consuming import Counted, World, act, add_recounted
from tests.stack import until

INSERT = "insert into effects (key, number, event_id, attempt) values (%s, %s, %s, %s)"
INSERT_NAMED = text(
    "insert into effects (key, number, event_id, attempt) "
    "values (:key, :number, :event_id, :attempt)"
)


class Base(DeclarativeBase):
    """What the tests map."""


class Effect(Base):
    """A row of a handler."""

    __tablename__ = "effects"
    position: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str]
    number: Mapped[int]
    event_id: Mapped[str]
    attempt: Mapped[int]


def row(event: Counted, context: Context) -> dict[str, Any]:
    return {
        "key": event.aggregate_id,
        "number": event.number,
        "event_id": context.event_id,
        "attempt": context.attempt,
    }


def connection(event: Counted, context: Context, db: psycopg.Connection[Any]) -> None:
    db.execute(INSERT, list(row(event, context).values()))


def session(event: Counted, context: Context, db: Session) -> None:
    db.execute(INSERT_NAMED, row(event, context))


def orm(event: Counted, db: Session, *, context: Context) -> None:
    db.add(Effect(**row(event, context)))


def orm_that_commits(event: Counted, context: Context, db: Session) -> None:
    db.add(Effect(**row(event, context)))
    db.commit()


def orm_that_goes_back(event: Counted, context: Context, db: Session) -> None:
    db.add(Effect(**row(event, context) | {"key": "never"}))
    db.flush()
    db.rollback()
    try:
        db.execute(text("insert into effects (position) overriding system value values (null)"))
    except IntegrityError:
        db.rollback()
    db.add(Effect(**row(event, context)))


async def asynchronous(event: Counted, context: Context) -> None:
    await asyncio.sleep(0)
    act(event, context)


async def async_connection(
    event: Counted, context: Context, db: psycopg.AsyncConnection[Any]
) -> None:
    await db.execute(INSERT, list(row(event, context).values()))
    async with db.transaction(), db.cursor() as cursor:
        await cursor.execute("select count(*) from effects")


async def async_session(event: Counted, context: Context, db: AsyncSession) -> None:
    db.add(Effect(**row(event, context)))
    await db.flush()
    found = await db.scalars(select(Effect).where(Effect.event_id == context.event_id))
    assert found.one().number == event.number


async def async_session_that_commits(event: Counted, context: Context, db: AsyncSession) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(0))
    db.add(Effect(**row(event, context)))
    await db.commit()


def batch(events: Sequence[Counted], contexts: Sequence[Context], db: Session) -> None:
    db.add_all(Effect(**row(*each)) for each in zip(events, contexts, strict=True))


async def async_batch(
    events: list[Counted], contexts: list[Context], db: psycopg.AsyncConnection[Any]
) -> None:
    rows = [list(row(*each).values()) for each in zip(events, contexts, strict=True)]
    async with db.cursor() as cursor:
        await cursor.executemany(INSERT, rows)


def hidden(event: Counted, context: Context) -> Any:
    return asynchronous(event, context)


KINDS: list[Callable[..., Any]] = [
    connection, session, orm, orm_that_commits, orm_that_goes_back, asynchronous, async_connection,
    async_session, async_session_that_commits, batch, async_batch, hidden,
]  # fmt: skip


def that_fails_first(handler: Callable[..., Any], failed: set[str]) -> Callable[..., Any]:
    """The handler, which fails after its work for some events the first time."""

    def fail(arguments: Sequence[Any]) -> None:
        for event in arguments[0] if isinstance(arguments[0], list) else [arguments[0]]:
            if event.number == 2 and event.aggregate_id not in failed:
                failed.add(event.aggregate_id)
                raise RuntimeError("after its work")

    @functools.wraps(handler)
    def plain(*arguments: Any, **named: Any) -> Any:
        result = handler(*arguments, **named)
        try:
            fail(arguments)
        except RuntimeError:
            if asyncio.iscoroutine(result):
                result.close()
            raise
        return result

    @functools.wraps(handler)
    async def awaited(*arguments: Any, **named: Any) -> Any:
        await handler(*arguments, **named)
        fail(arguments)

    wrapped = awaited if asyncio.iscoroutinefunction(handler) else plain
    # Registered by the signature of what is inside.
    wrapped.__signature__ = inspect.signature(handler)  # type: ignore[union-attr]
    return wrapped


@pytest.mark.parametrize("handler", KINDS, ids=lambda each: each.__name__)
def test_every_kind_of_handler_acts_once_in_its_groups_transaction(
    world: World, handler: Callable[..., Any]
) -> None:
    # Given a handler that has done its work when it fails, for some events
    failed: set[str] = set()
    group = world.new_group(lanes=2, batch=10)
    group.handles(Counted)(that_fails_first(handler, failed))
    keys = ["a", "b", "c"]
    world.send([(key, n) for n in range(1, 5) for key in keys])
    world.until_idle(group)
    # Then each event has acted once, in the order of its key
    assert failed == set(keys)
    for key in keys:
        assert world.numbers(key) == [1, 2, 3, 4]
    assert world.numbers("never") == []
    assert world.rows("select count(*) from inbox.processed") == [(12,)]
    assert world.rows("select count(*) from inbox.dead_letters") == [(0,)]


async def _commit(_: Any, db: psycopg.AsyncConnection[Any]) -> None:
    await db.commit()


async def _execute_commit(_: Any, db: psycopg.AsyncConnection[Any]) -> None:
    await db.execute("commit")


async def _commit_below(_: Any, db: AsyncSession) -> None:
    await db.execute(text("commit"))


def _commit_below_a_session(_: Any, db: Session) -> None:
    db.execute(text("commit; begin"))


def _commit_the_connection(_: Any, db: Session) -> None:
    db.connection().get_transaction().commit()  # type: ignore[union-attr]


def _roll_the_connection_back(_: Any, db: Session) -> None:
    db.connection().get_transaction().rollback()  # type: ignore[union-attr]


async def _leave_a_task(_: Any, db: psycopg.AsyncConnection[Any]) -> None:
    await db.execute("select 1")
    asyncio.create_task(asyncio.sleep(600))  # noqa: RUF006


@pytest.mark.parametrize(
    "end",
    [
        _commit, _execute_commit, _commit_below, _commit_below_a_session, _commit_the_connection,
        _roll_the_connection_back, _leave_a_task,
    ],
    ids=lambda each: each.__name__,
)  # fmt: skip
def test_a_handler_that_ends_the_transaction_or_leaves_work_behind_is_dead(
    world: World, end: Callable[..., Any]
) -> None:
    group = world.new_group(lanes=1, batch=1)

    def first_acts(event: Counted, context: Context, db: Any) -> Any:
        act(event, context)
        return end(event, db) if event.number == 2 else None

    async def first_acts_async(event: Counted, context: Context, db: Any) -> None:
        act(event, context)
        if event.number == 2:
            await end(event, db)

    handler = first_acts_async if asyncio.iscoroutinefunction(end) else first_acts
    handler.__annotations__["db"] = end.__annotations__["db"]
    handler.__globals__.update(globals())
    group.handles(Counted)(handler)
    ids = world.send([("a", 1), ("a", 2), ("a", 3)])
    world.until_idle(group, max_attempts=2)
    # Then nothing of it is left, and the others have acted
    assert world.numbers("a") == [1, 3]
    assert world.rows("select event_id from inbox.dead_letters") == [(ids[1],)]


def test_an_asynchronous_handler_that_takes_too_long_is_cancelled(world: World) -> None:
    group = world.new_group(lanes=1, time_limit_s=0.3)
    cleaned: list[int] = []

    @group.handles(Counted)
    async def sleep(event: Counted, context: Context) -> None:
        act(event, context)
        try:
            if event.number == 1:
                await asyncio.sleep(600)
        finally:
            cleaned.append(event.number)

    world.send([("a", 1), ("a", 2)])
    world.until_idle(group, max_attempts=2)
    assert world.numbers("a") == [2]
    assert cleaned == [1, 1, 2]
    ((attempt, error),) = world.rows("select attempt, error from inbox.dead_letters")
    assert (attempt, "has not returned within 0.3 s" in error) == (2, True)


def test_asynchronous_handlers_of_a_lane_share_a_loop_and_know_their_event(world: World) -> None:
    group = world.new_group(lanes=1, batch=1)
    loops: set[int] = set()
    contexts: list[str | None] = []

    @group.handles(Counted)
    async def look(event: Counted, context: Context) -> None:
        loops.add(id(asyncio.get_running_loop()))
        contexts.append(current_context().causation_id)
        act(event, context)

    ids = world.send([("a", n) for n in range(5)])
    world.until_idle(group)
    assert len(loops) == 1
    assert contexts == ids


def test_a_batch_handler_gets_what_comes_together_and_each_alone_after_a_failure(
    world: World,
) -> None:
    # Given a batch handler that one event always fails
    sizes: list[int] = []
    group = world.new_group(lanes=1, batch=20)

    @group.handles(Counted)
    def insert(events: Sequence[Counted], contexts: Sequence[Context]) -> None:
        sizes.append(len(events))
        for event, context in zip(events, contexts, strict=True):
            if event.number == 13:
                raise RuntimeError("never")
            act(event, context)

    world.send([("a", n) for n in range(10)])
    world.until_idle(group)
    assert sizes == [10]
    sizes.clear()
    world.send([("b", n) for n in range(10, 20)])
    world.until_idle(group, max_attempts=4)
    # Then each is tried alone, and that one is dead after its attempts
    assert sizes[0] == 10
    assert set(sizes[1:14]) == {1}
    assert world.numbers("a") == list(range(10))
    assert world.numbers("b") == [n for n in range(10, 20) if n != 13]
    ((attempt,),) = world.rows("select attempt from inbox.dead_letters")
    assert attempt == 4


def test_batches_keep_the_order_of_a_key_between_handlers(world: World) -> None:
    # Given two handlers of one group, of which one takes batches
    recounted = add_recounted(world)
    calls: list[Any] = []
    group = world.new_group(lanes=1, batch=50)

    @group.handles(Counted)
    def many(events: Sequence[Counted], contexts: Sequence[Context]) -> None:
        calls.append([event.number for event in events])
        for each in zip(events, contexts, strict=True):
            act(*each)

    group.handles(recounted)(lambda event: calls.append(event.number))
    for number, kind in enumerate(["counted", "counted", "recounted", "counted"], 1):
        headers = {"ce_id": f"e{number}", "ce_type": kind, "ce_subject": "a"}
        encoded = [(name, value.encode()) for name, value in headers.items()]
        world.produce(world.topic, b"a", world.value(number), encoded)
    world.until_idle(group)
    assert calls == [[1, 2], 3, [4]]


def test_what_a_batch_handler_publishes_has_its_own_event_as_its_cause(world: World) -> None:
    group = world.new_group(lanes=1, batch=20)

    @group.handles(Counted)
    def answer(events: Sequence[Counted], contexts: Sequence[Context]) -> None:
        for event, context in zip(events, contexts, strict=True):
            context.publish(Counted(aggregate_id=f"answer-{event.aggregate_id}", number=1))

    ids = world.send([("a", 1), ("b", 1)])
    world.until_idle(group)
    query = (
        "select aggregate_id, metadata ->> 'causationId', metadata ->> 'correlationId' "
        "from outbox.domain_events order by aggregate_id"
    )
    assert world.rows(query) == [
        ("answer-a", ids[0], "c-a"),
        ("answer-b", ids[1], "c-b"),
    ]


def test_a_batch_that_cant_be_interrupted_is_handled_one_by_one_by_the_next_process(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a batch handler that hangs for one event, and can't be interrupted
    monkeypatch.setattr(watchdog, "GRACE_S", 0.3)
    monkeypatch.setattr(worker, "STOP_PATIENCE_S", 0.3)
    released = threading.Event()
    sizes: list[int] = []
    group = world.new_group(lanes=1, batch=20, time_limit_s=0.4)

    @group.handles(Counted)
    def hang(events: Sequence[Counted], contexts: Sequence[Context]) -> None:
        sizes.append(len(events))
        for each in zip(events, contexts, strict=True):
            if each[0].number == 2 and not released.is_set():
                released.wait()
            act(*each)

    world.send([("a", 1), ("b", 2), ("a", 3)])
    try:
        # Then no event is blamed for the batch
        with pytest.raises(RelayError, match="can't be interrupted"):
            world.until_idle(group, max_attempts=100)
        assert world.rows("select count(*) from inbox.parked") == [(0,)]
        # And the next process, which is careful, finds out which it is
        with pytest.raises(RelayError, match="can't be interrupted"):
            world.until_idle(group, max_attempts=100)
        key = "select convert_from(key, 'UTF8'), attempts from inbox.parked"
        assert world.rows(key) == [("b", 1)]
    finally:
        released.set()
    assert sizes[0] == 3
    assert set(sizes[1:]) == {1}
    world.until_idle(group, max_attempts=100)
    assert (world.numbers("a"), world.numbers("b")) == ([1, 3], [2])


def test_a_batch_handler_drains_parked_events_in_batches(world: World) -> None:
    sizes: list[int] = []
    broken = [True]
    group = world.new_group(lanes=1, batch=20)

    @group.handles(Counted)
    def insert(events: Sequence[Counted], contexts: Sequence[Context]) -> None:
        if broken[0]:
            raise RuntimeError("later")
        sizes.append(len(events))
        for each in zip(events, contexts, strict=True):
            act(*each)

    world.send([("a", n) for n in range(30)])
    with world.running(group, max_attempts=1000):
        until(lambda: world.rows("select count(*) from inbox.parked") == [(30,)])
        broken[0] = False
        until(lambda: world.rows("select count(*) from effects") == [(30,)])
    assert world.numbers("a") == list(range(30))
    assert len(sizes) < 30
