"""Calls handlers: one event at a time, or a batch of those that follow each other."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from relay.consume.attempt_failed import Staged
from relay.consume.context import Context
from relay.consume.event_loop import run_to_end
from relay.consume.failures import TimeLimitExceeded
from relay.consume.group import Subscription
from relay.consume.handler import refuse_unrun
from relay.consume.handler_session import lent
from relay.consume.joined import faces_of
from relay.consume.parameters import Takes
from relay.consume.parked_queues import Head
from relay.consume.time_limit import Handling, Handlings
from relay.events import DomainEvent

__all__ = ["Calls", "Due"]


@dataclass(frozen=True, slots=True)
class Due:
    """A decoded event that is to be handled. index: its place in the transaction. head: of a parked
    event."""

    index: int
    subscription: Subscription
    event: DomainEvent
    context: Context
    head: Head | None = None


class Calls:
    """The calls of one transaction, in the order of its events.

    current: the events of the call that runs, or that has failed. server: where the positions that
    the events follow were read.
    """

    def __init__(
        self, connection: psycopg.Connection[Any], handlings: Handlings, server: str
    ) -> None:
        self.current: list[Due] = []
        self._connection = connection
        self._handlings = handlings
        self._server = server
        self._waiting: list[Due] = []

    def add(self, due: Due) -> None:
        """Handles an event, or lets it wait for others of its batch. Raises Staged."""
        if self._waiting and self._waiting[0].subscription is not due.subscription:
            self.flush()
        self._waiting.append(due)
        if not due.subscription.parameters.batch:
            self.flush()

    def flush(self) -> None:
        """Handles the events that wait. Raises Staged."""
        if self._waiting:
            self.current, self._waiting = self._waiting, []
            self._call(self.current)
            self.current = []

    def _call(self, dues: Sequence[Due]) -> None:
        first, connection, handlings = dues[0], self._connection, self._handlings
        handling = handlings.begin(
            connection,
            first.context.record,
            first.context.attempt,
            head=first.head,
            server=self._server,
            alone=len(dues) == 1,
        )
        try:
            try:
                with lent(connection):
                    if len(dues) > 1:
                        self._run(dues)
                    else:
                        with first.context.as_cause():
                            self._run(dues)
            finally:
                handlings.end(handling)
        except BaseException as error:
            # Nothing in this thread may end the program: an exit is the event's failure, too.
            handlings.end(handling)
            raise Staged("handle", self._reason(handling, error)) from error
        if handling.over:
            raise Staged("handle", self._reason(handling, None))

    def _run(self, dues: Sequence[Due]) -> None:
        subscription = dues[0].subscription
        if subscription.is_plain:
            result = subscription.handler(dues[0].event, dues[0].context)
        elif subscription.is_async:
            result = self._run_async(subscription, dues)
        else:
            result = self._run_with(subscription, dues)
        if result is not None:
            if inspect.isawaitable(result):
                result = run_to_end(result, self._handlings.seconds)
            refuse_unrun(result)

    def _run_with(self, subscription: Subscription, dues: Sequence[Due]) -> Any:
        values = self._values(dues)
        if Takes.SESSION not in subscription.parameters.all:
            return _call(subscription, values)
        faces = faces_of(self._connection)
        with faces.session() as session:
            result = _call(subscription, values | {Takes.SESSION: session})
            session.commit()
            faces.refuse_ended()
        return result

    async def _run_async(self, subscription: Subscription, dues: Sequence[Due]) -> Any:
        faces = faces_of(self._connection)
        values = self._values(dues) | {Takes.ASYNC_CONNECTION: faces.asynchronous()}
        if Takes.ASYNC_SESSION not in subscription.parameters.all:
            return await _call(subscription, values)
        async with await faces.async_session() as session:
            result = await _call(subscription, values | {Takes.ASYNC_SESSION: session})
            await session.commit()
            faces.refuse_ended()
        return result

    def _values(self, dues: Sequence[Due]) -> dict[Takes, Any]:
        return {
            Takes.EVENT: dues[0].event,
            Takes.EVENTS: [due.event for due in dues],
            Takes.CONTEXT: dues[0].context,
            Takes.CONTEXTS: [due.context for due in dues],
            Takes.CONNECTION: self._connection,
        }

    def _reason(self, handling: Handling, error: BaseException | None) -> BaseException:
        """What the attempt failed with: the time limit, whatever the handler made of that."""
        if not handling.over:
            assert error is not None
            return error
        self._connection.close()  # if the watchdog has not ended it yet
        late = TimeLimitExceeded(self._handlings.seconds)
        late.__cause__ = error
        return late


def _call(subscription: Subscription, values: dict[Takes, Any]) -> Any:
    parameters = subscription.parameters
    return subscription.handler(
        *[values[takes] for takes in parameters.positional],
        **{name: values[takes] for name, takes in parameters.named.items()},
    )
