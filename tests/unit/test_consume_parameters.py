"""A handler gets what its parameters are annotated with, or is refused when it is registered."""

# The handlers here are looked at, never called.
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Optional

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from relay.consume import Context, Group
from relay.consume.parameters import Parameters, Takes
from relay.errors import ConfigurationInvalid
from relay.events import DomainEvent
from tests.integration.consuming import Counted

if TYPE_CHECKING:
    from tests.nowhere import Unknown  # type: ignore[import-not-found]


class Other(DomainEvent):
    """Another event."""

    EVENT_TYPE: ClassVar[str] = "other"


class MySession(Session):
    """A project's own session class."""


def event_and_context(event: Counted, context: Context) -> None: ...
def the_other_way_round(context: Context, event: Counted) -> None: ...
def event_alone(event: Counted) -> None: ...
def session(event: Counted, db: Session) -> None: ...
def own_session(db: MySession, event: Counted) -> None: ...
def connection(event: Counted, db: psycopg.Connection[Any], context: Context) -> None: ...
def by_name(event: Counted, *, db: Session, context: Context) -> None: ...
def optional(event: Counted, db: Optional[Session] = None) -> None: ...  # noqa: UP045
def union(event: Counted | Other, context: Context) -> None: ...
def base(event: DomainEvent, context: Context) -> None: ...
def annotated(event: Annotated[Counted, "paid"], db: Annotated[Session, "main"]) -> None: ...
def anything(event: Any, context: Any) -> None: ...
def without(event, context): ...  # type: ignore[no-untyped-def]
def only_for_checkers(event: Unknown, context: Context) -> None: ...
def batch(events: Sequence[Counted]) -> None: ...
def list_and_contexts(events: list[Counted], contexts: Sequence[Context], db: Session) -> None: ...
def tuple_of_any(events: tuple[Counted | Other, ...]) -> None: ...
def defaults(event: Counted, limit: int = 3, *, retries: int = 1) -> None: ...
async def asynchronous(event: Counted, db: AsyncSession) -> None: ...
async def asynchronous_connection(event: Counted, db: psycopg.AsyncConnection[Any]) -> None: ...


E, C = Takes.EVENT, Takes.CONTEXT
TAKEN: list[tuple[Callable[..., Any], Parameters]] = [
    (event_and_context, Parameters((E, C))),
    (the_other_way_round, Parameters((C, E))),
    (event_alone, Parameters((E,))),
    (session, Parameters((E, Takes.SESSION))),
    (own_session, Parameters((Takes.SESSION, E))),
    (connection, Parameters((E, Takes.CONNECTION, C))),
    (by_name, Parameters((E,), {"db": Takes.SESSION, "context": C})),
    (optional, Parameters((E, Takes.SESSION))),
    (union, Parameters((E, C))),
    (base, Parameters((E, C))),
    (annotated, Parameters((E, Takes.SESSION))),
    (anything, Parameters((E, C))),
    (without, Parameters((E, C))),
    (only_for_checkers, Parameters((E, C))),
    (batch, Parameters((Takes.EVENTS,))),
    (list_and_contexts, Parameters((Takes.EVENTS, Takes.CONTEXTS, Takes.SESSION))),
    (tuple_of_any, Parameters((Takes.EVENTS,))),
    (defaults, Parameters((E,))),
    (asynchronous, Parameters((E, Takes.ASYNC_SESSION))),
    (asynchronous_connection, Parameters((E, Takes.ASYNC_CONNECTION))),
]


@pytest.mark.parametrize(("handler", "takes"), TAKEN, ids=[each.__name__ for each, _ in TAKEN])
def test_parameters_are_told_by_their_annotations(
    handler: Callable[..., Any], takes: Parameters
) -> None:
    group = Group("billing")
    group.handles(Counted)(handler)
    assert group.subscriptions["counted"].parameters == takes


def another_event(event: Other, context: Context) -> None: ...
def another_batch(events: Sequence[Other]) -> None: ...
def number(event: int, context: Context) -> None: ...
def something_else(event: Counted, context: Context, limit: int) -> None: ...
def number_for_context(event: Counted, limit: int) -> None: ...
def unreadable(event: Counted, context: Context, db: Unknown) -> None: ...
def nothing() -> None: ...
def context_alone(context: Context) -> None: ...
def both(event: Counted, events: Sequence[Counted]) -> None: ...
def batch_and_one_context(events: Sequence[Counted], context: Context) -> None: ...
def one_event_and_contexts(event: Counted, contexts: Sequence[Context]) -> None: ...
def plain_with_async_session(event: Counted, db: AsyncSession) -> None: ...
async def async_with_plain_session(event: Counted, db: Session) -> None: ...


REFUSED: list[tuple[Callable[..., Any], str]] = [
    (another_event, "has a parameter event of Other, which gets no Counted"),
    (another_batch, "has a parameter events of Other, which gets no Counted"),
    (number, "has a parameter event of int, which gets no Counted"),
    (something_else, "has a parameter limit whose annotation names nothing"),
    (number_for_context, "has a parameter limit whose annotation names nothing"),
    (unreadable, "a parameter db whose annotation can't be read"),
    (nothing, "takes no event"),
    (context_alone, "takes no event"),
    (both, "takes an event and a batch of events"),
    (batch_and_one_context, "takes a batch of events and one Context"),
    (one_event_and_contexts, "takes Sequence[Context] and one event"),
    (plain_with_async_session, "takes a SQLAlchemy AsyncSession and is not asynchronous"),
    (async_with_plain_session, "takes a SQLAlchemy Session and is asynchronous"),
]


@pytest.mark.parametrize(("handler", "why"), REFUSED, ids=[each.__name__ for each, _ in REFUSED])
def test_what_a_handler_would_not_get_is_refused_in_one_line(
    handler: Callable[..., Any], why: str
) -> None:
    group = Group("billing")
    with pytest.raises(ConfigurationInvalid) as caught:
        group.handles(Counted)(handler)
    message = str(caught.value)
    assert message.startswith(f"consumer group billing: handler {handler.__name__} ")
    assert why in message
    assert "\n" not in message
    assert group.subscriptions == {}


def test_one_handler_may_take_events_of_several_types() -> None:
    class Third(Counted):
        EVENT_TYPE: ClassVar[str] = "third"

    group = Group("billing")
    group.handles(Counted, Third)(event_and_context)
    assert list(group.subscriptions) == ["counted", "third"]
