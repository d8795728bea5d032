"""A handler that a group can't run is refused when it is registered, by name."""

# Handlers are told apart by their arguments, used or not.
# ruff: noqa: ARG002, ARG005
from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import AsyncMock

import pytest

from relay.consume import Group
from relay.errors import ConfigurationInvalid
from relay.events import DomainEvent
from tests.integration.consuming import Counted


async def coroutine(event: Any, context: Any) -> None:
    """Is run to its end."""


def generator(event: Any, context: Any) -> Iterator[None]:
    yield


async def asynchronous_generator(event: Any, context: Any) -> Any:
    yield


def plain(event: Any, context: Any) -> None:
    """What a handler should be."""


class Callables:
    """Handlers in all the forms that a class has for them."""

    async def method(self, event: Any, context: Any) -> None: ...

    def generating(self, event: Any, context: Any) -> Iterator[None]:
        yield

    @classmethod
    async def of_the_class(cls, event: Any, context: Any) -> None: ...

    @staticmethod
    async def static(event: Any, context: Any) -> None: ...

    def plain(self, event: Any, context: Any) -> None: ...

    async def __call__(self, event: Any, context: Any) -> None: ...


class StaticCall:
    """Called without itself."""

    @staticmethod
    async def __call__(event: Any, context: Any) -> None: ...


class PlainCall:
    """An object that is a good handler."""

    def __call__(self, event: Any, context: Any) -> None: ...


class Wrapping:
    """A decorator that is an object."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)

    def __call__(self, event: Any, context: Any) -> None: ...


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*arguments: Any, **named: Any) -> Any:
        return function(*arguments, **named)

    return wrapper


def with_more(function: Callable[..., Any]) -> Callable[..., Any]:
    """Gives the function one argument more than it is called with."""

    @functools.wraps(function)
    def wrapper(event: Any, context: Any) -> Any:
        return function(event, context, "more")

    return wrapper


def takes_three(event: Any, context: Any, more: str) -> None: ...


NEVER_RUN: dict[str, Any] = {
    "generator": generator,
    "asynchronous generator": asynchronous_generator,
    "partial of a partial": functools.partial(functools.partial(generator), context=1),
    "generating method": Callables().generating,
    "decorated": decorated(asynchronous_generator),
    "decorated twice": decorated(decorated(asynchronous_generator)),
    "decorated by an object": Wrapping(generator),
    "context manager": contextmanager(generator),
    "lambda": lambda event, context: (yield),
}
ASYNCHRONOUS: dict[str, Any] = {
    "coroutine": coroutine,
    "partial": functools.partial(coroutine),
    "method": Callables().method,
    "class method": Callables.of_the_class,
    "static method": Callables.static,
    "object": Callables(),
    "object, static": StaticCall(),
    "partial of an object": functools.partial(Callables()),
    "decorated": decorated(coroutine),
    "decorated by an object": Wrapping(coroutine),
    "decorated object": decorated(Callables()),
    "mock": AsyncMock(),
}
NOT_CALLABLE: dict[str, Any] = {
    "none": None,
    "text": "shop.handlers.paid",
    "number": 7,
    "list": [plain],
    "object": object(),
}
WRONG_ARGUMENTS: dict[str, Any] = {
    "none": lambda: None,
    "three": takes_three,
    "by name": lambda *, event, context: None,
    "partial": functools.partial(plain, 1, 2),
    "bound": Callables.plain,
    "named only": lambda **named: None,
}
GOOD: dict[str, Any] = {
    "function": plain,
    "event alone": lambda event: None,
    "partial": functools.partial(takes_three, more=""),
    "bound": Callables().plain,
    "object": PlainCall(),
    "decorated": decorated(plain),
    "decorated, with one argument more": with_more(takes_three),
    "lambda": lambda event, context: None,
    "defaults": lambda event, context, more=1: None,
    "any": lambda *arguments: None,
    "calls a coroutine": lambda event, context: asyncio.run(coroutine(event, context)),
    "without a signature": dict.fromkeys,
}


def both_ways(handler: Any) -> Iterator[Callable[[Group], Any]]:
    """The two ways to register."""
    yield lambda group: group.handles(Counted)(handler)
    yield lambda group: group.subscribe("*", handler, [Counted])


def refusal(register: Callable[[Group], Any]) -> str:
    group = Group("billing")
    with pytest.raises(ConfigurationInvalid) as caught:
        register(group)
    assert group.subscriptions == {}
    message = str(caught.value)
    assert message.startswith("consumer group billing: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("handler", NEVER_RUN.values(), ids=NEVER_RUN.keys())
def test_what_nobody_would_run_to_its_end_is_refused(handler: Any) -> None:
    for register in both_ways(handler):
        message = refusal(register)
        assert "would never be run" in message
        assert "def handler(event, context)" in message


@pytest.mark.parametrize("handler", NOT_CALLABLE.values(), ids=NOT_CALLABLE.keys())
def test_what_can_not_be_called_is_refused(handler: Any) -> None:
    for register in both_ways(handler):
        assert f"of type {type(handler).__name__} is not a function" in refusal(register)


@pytest.mark.parametrize("handler", WRONG_ARGUMENTS.values(), ids=WRONG_ARGUMENTS.keys())
def test_a_handler_with_other_arguments_is_refused(handler: Any) -> None:
    for register in both_ways(handler):
        message = refusal(register)
        assert "takes no event" in message or "names nothing that a handler gets" in message


@pytest.mark.parametrize("handler", GOOD.values(), ids=GOOD.keys())
def test_everything_that_can_be_called_so_is_taken(handler: Any) -> None:
    for register in both_ways(handler):
        group = Group("billing")
        register(group)
        assert group.subscriptions["counted"].handler is handler


@pytest.mark.parametrize("handler", ASYNCHRONOUS.values(), ids=ASYNCHRONOUS.keys())
def test_asynchronous_handlers_are_known_as_such(handler: Any) -> None:
    for register in both_ways(handler):
        group = Group("billing")
        register(group)
        assert group.subscriptions["counted"].is_async


def test_a_refused_handler_is_named() -> None:
    wrapped = decorated(generator)
    assert "handler generator " in refusal(lambda g: g.handles(Counted)(wrapped))
    partial = functools.partial(generator)
    assert "handler generator " in refusal(lambda g: g.handles(Counted)(partial))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("booking.created", "'booking.created'"),
        (None, "None"),
        (plain, "plain"),
        (dict, "dict"),
        (DomainEvent, "DomainEvent"),
        ([Counted], "[<class"),
    ],
    ids=["text", "none", "function", "another class", "no generated class", "list"],
)
def test_what_is_no_event_class_is_refused_and_what_is_expected_is_said(
    wrong: Any, named: str
) -> None:
    for register in (
        lambda group: group.handles(wrong),
        lambda group: group.handles(Counted, wrong),
        lambda group: group.subscribe("*", plain, [Counted, wrong]),
    ):
        message = refusal(register)
        assert f"{named}" in message
        assert "is not an event class. Give the class that `relay schemas generate`" in message


def test_handles_without_a_class_is_refused() -> None:
    assert "names no event class" in refusal(lambda group: group.handles())


@pytest.mark.parametrize("events", [Counted, None, 7], ids=["one class", "none", "number"])
def test_subscribe_takes_a_list_of_classes(events: Any) -> None:
    message = refusal(lambda group: group.subscribe("*", plain, events))
    assert "takes a list of event classes" in message


def test_subscribe_takes_a_pattern_first() -> None:
    message = refusal(lambda group: group.subscribe(plain, "*", [Counted]))  # type: ignore[arg-type]
    assert "a pattern such as 'order.*' first, not plain" in message
