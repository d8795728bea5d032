"""Checks that a handler can be run: a plain function of an event and its context.

A coroutine or a generator does nothing until it is run to its end, which a group does not do: the
event would count as processed without an effect.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import suppress
from functools import partial
from types import FunctionType, MethodType, WrapperDescriptorType
from typing import Any, Final

from relay.consume.failures import Fatal

__all__ = ["name_of", "problem_of", "refuse_unrun"]

_PLAIN: Final = "Write a plain function, def handler(event, context)"
_AWAIT: Final = f"{_PLAIN}, and let it call asyncio.run where something has to be awaited"
_YIELD: Final = f"{_PLAIN}, without yield"


def problem_of(handler: object) -> str | None:
    """The reason why `handler` can't be run and what to do, as the end of a sentence, or None."""
    if not callable(handler):
        return f"is not a function. {_PLAIN}"
    for layer in _layers(handler):
        if inspect.iscoroutinefunction(layer):
            return f"is asynchronous and would never be run. {_AWAIT}"
        if inspect.isgeneratorfunction(layer) or inspect.isasyncgenfunction(layer):
            return f"is a generator and would never be run. {_YIELD}"
    try:
        # Of the decorator, not of the function inside: that may get further arguments.
        signature = inspect.signature(handler, follow_wrapped=False)
    except (TypeError, ValueError):
        return None  # functions in C need not have one
    try:
        signature.bind(object(), object())
    except TypeError as error:
        return f"can't be called with (event, context): {error}. {_PLAIN}"
    return None


def name_of(handler: object) -> str:
    """Name of a handler, or of the function that it hides; its class where it has none."""
    for layer in _layers(handler):
        name = getattr(layer, "__qualname__", None)
        if isinstance(name, str):
            return name
    return f"of type {type(handler).__qualname__}"


def refuse_unrun(result: Any) -> None:
    """Raises Fatal for a returned coroutine, awaitable or generator, which nobody would run."""
    if result is None:
        return
    if not (inspect.isawaitable(result) or isinstance(result, Generator | AsyncIterator)):
        return
    if inspect.iscoroutine(result) or isinstance(result, Generator):
        with suppress(Exception):
            result.close()  # or Python complains that it was never awaited
    raise Fatal(
        f"the handler returned a {type(result).__qualname__}, which is never run to its end. "
        f"{_AWAIT}"
    )


def _layers(handler: object) -> Iterator[Any]:
    """`handler` and what it calls in the end, as far as it can be seen."""
    seen: list[Any] = []
    waiting: list[Any] = [handler]
    while waiting:
        layer = waiting.pop(0)
        if layer is None or any(layer is known for known in seen):
            continue
        seen.append(layer)
        yield layer
        waiting.append(getattr(layer, "__wrapped__", None))
        if isinstance(layer, partial):
            waiting.append(layer.func)
        elif isinstance(layer, MethodType):
            waiting.append(layer.__func__)
        elif not isinstance(layer, FunctionType | type):
            call = inspect.getattr_static(type(layer), "__call__", None)
            waiting.append(None if isinstance(call, WrapperDescriptorType) else call)
