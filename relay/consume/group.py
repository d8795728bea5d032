"""A consumer group: its name, and a handler for each event type that it wants."""

from __future__ import annotations

import fnmatch
import re
import reprlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn, TypeVar

from relay.consume.handler import check_parameters, is_async, name_of, problem_of
from relay.consume.parameters import Parameters, ParametersInvalid, Takes, parameters_of
from relay.errors import ConfigurationInvalid
from relay.events import DomainEvent
from relay.schema.catalog import Catalog

__all__ = ["Group", "Handler"]

# Of what its parameters are annotated with, see parameters.py; plain or asynchronous.
Handler = Callable[..., Any]
H = TypeVar("H", bound="Handler")

NAME = re.compile(r"[a-z][a-z0-9-]{0,59}")


@dataclass(frozen=True)
class Subscription:
    """The handler of one event type. event_class: what records are decoded to."""

    event_class: type[DomainEvent]
    handler: Handler
    parameters: Parameters

    @cached_property
    def is_async(self) -> bool:
        """Whether the handler is known to be asynchronous."""
        return is_async(self.handler)

    @cached_property
    def is_plain(self) -> bool:
        """Whether it is called as handler(event, context)."""
        plain = self.parameters == Parameters((Takes.EVENT, Takes.CONTEXT))
        return plain and not self.is_async


class Group:
    """Handlers of event types that share one consumer group of Kafka.

    name: of the group, as in the catalog. lanes: records of different keys that are handled at
    once in one process. batch: most events in one transaction when there is a backlog; 1 where
    handlers have effects outside of the database, since a batch that fails is taken apart and
    run again. statement_timeout_ms: of each statement of a handler. time_limit_s: seconds until a
    handler that has not returned is interrupted, which is a failed attempt.
    """

    def __init__(
        self,
        name: str,
        *,
        lanes: int = 4,
        batch: int = 50,
        statement_timeout_ms: int = 30_000,
        time_limit_s: float = 60.0,
    ) -> None:
        if not NAME.fullmatch(name):
            raise ConfigurationInvalid(
                f"consumer group {name!r} is not a group name: use lower case letters, digits and "
                "hyphens, at most 60, a letter first"
            )
        if min(lanes, batch, statement_timeout_ms) < 1 or not time_limit_s > 0:
            raise ConfigurationInvalid(
                f"consumer group {name}: lanes, batch and statement_timeout_ms must be at least 1, "
                "time_limit_s greater than 0"
            )
        self.name = name
        self.lanes = lanes
        self.batch = batch
        self.statement_timeout_ms = statement_timeout_ms
        self.time_limit_s = time_limit_s
        self.subscriptions: dict[str, Subscription] = {}

    def handles(self, *event_classes: type[DomainEvent]) -> Callable[[H], H]:
        """Decorator: the function handles events of these generated classes.

        It is called inside a transaction, with what its parameters are annotated with: the event,
        `Context`, psycopg `Connection` or SQLAlchemy `Session`, all on that transaction. One that
        takes `Sequence[OrderPaid]` gets a batch of events at once, and `Sequence[Context]` beside
        it. It may be asynchronous, with an `AsyncConnection` or `AsyncSession`. Without annotations
        it is called as `handler(event, context)`.
        It may raise Fatal (never try again) or Retryable; any other exception is tried again too.
        Raises ConfigurationInvalid without a class or for something else than one, when the
        handler can't be called like that or is a generator, and when an event type already has a
        handler in this group.
        """
        if not event_classes:
            self._refuse(
                "handles() names no event class. Name one, as in @group.handles(OrderPaid)"
            )
        for event_class in event_classes:
            self._check_class(event_class)

        def register(handler: H) -> H:
            self._check_handler(handler)
            for event_class in event_classes:
                self._add(event_class, handler)
            return handler

        return register

    def subscribe(
        self, pattern: str, handler: Handler, events: Iterable[type[DomainEvent]]
    ) -> list[str]:
        """Registers `handler` for those of `events` whose type fits `pattern`; returns the types.

        pattern: shell style, `order.*`. Raises ConfigurationInvalid when none fits, and where
        `handles` raises it.
        """
        if not isinstance(pattern, str):
            self._refuse(
                f"subscribe() takes a pattern such as 'order.*' first, not {_shown(pattern)}"
            )
        self._check_handler(handler)
        if not isinstance(events, Iterable):
            self._refuse(
                f"subscribe() takes a list of event classes last, not {_shown(events)}. "
                "Give the classes that the pattern chooses from"
            )
        events = list(events)
        for event_class in events:
            self._check_class(event_class)
        fitting = [e for e in events if fnmatch.fnmatchcase(e.EVENT_TYPE, pattern)]
        if not fitting:
            raise ConfigurationInvalid(
                f"consumer group {self.name}: no event type fits {pattern!r}. Correct the pattern"
            )
        for event_class in fitting:
            self._add(event_class, handler)
        return [event_class.EVENT_TYPE for event_class in fitting]

    def topics(self, catalog: Catalog) -> list[str]:
        """The domains' topics that hold the handlers' event types. Raises SchemaUnknown."""
        return sorted({catalog.topic(event_type) for event_type in self.subscriptions})

    def _add(self, event_class: type[DomainEvent], handler: Handler) -> None:
        event_type = event_class.EVENT_TYPE
        try:
            parameters = parameters_of(handler, event_class)
            check_parameters(handler, parameters)
        except ParametersInvalid as error:
            self._refuse(f"handler {name_of(handler)} {error}")
        if event_type in self.subscriptions:
            raise ConfigurationInvalid(
                f"consumer group {self.name} has two handlers for {event_type}: "
                f"{name_of(self.subscriptions[event_type].handler)} and {name_of(handler)}. "
                "Keep one, or call both from it"
            )
        self.subscriptions[event_type] = Subscription(event_class, handler, parameters)

    def _check_class(self, event_class: object) -> None:
        if not (
            isinstance(event_class, type)
            and issubclass(event_class, DomainEvent)
            and isinstance(getattr(event_class, "EVENT_TYPE", None), str)
        ):
            self._refuse(
                f"{_shown(event_class)} is not an event class. Give the class that `relay schemas "
                "generate` has made of the event type, as in @group.handles(OrderPaid)"
            )

    def _check_handler(self, handler: object) -> None:
        if (problem := problem_of(handler)) is not None:
            self._refuse(f"handler {name_of(handler)} {problem}")

    def _refuse(self, problem: str) -> NoReturn:
        raise ConfigurationInvalid(f"consumer group {self.name}: {problem}")


def _shown(value: object) -> str:
    return name_of(value) if callable(value) else reprlib.repr(value)
