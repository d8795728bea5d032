"""Checks that a handler can be run to its end.

A generator does nothing until somebody iterates over it, which a group does not do: the event would
count as processed without an effect.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import suppress
from functools import partial
from types import FunctionType, MethodType, WrapperDescriptorType
from typing import Any, Final

from relay.consume.failures import Fatal
from relay.consume.parameters import ASYNCHRONOUS, Parameters, ParametersInvalid, Takes

__all__ = ["check_parameters", "is_async", "name_of", "problem_of", "refuse_unrun"]

_PLAIN: Final = "Write a plain function, def handler(event, context)"
_YIELD: Final = f"{_PLAIN}, or an asynchronous one, without yield"


def problem_of(handler: object) -> str | None:
    """The reason why `handler` can't be run and what to do, as the end of a sentence, or None."""
    if not callable(handler):
        return f"is not a function. {_PLAIN}"
    for layer in _layers(handler):
        if inspect.isgeneratorfunction(layer) or inspect.isasyncgenfunction(layer):
            return f"is a generator and would never be run. {_YIELD}"
    return None


def is_async(handler: object) -> bool:
    """Whether a handler is known to return a coroutine."""
    return any(inspect.iscoroutinefunction(layer) for layer in _layers(handler))


def check_parameters(handler: object, parameters: Parameters) -> None:
    """Raises ParametersInvalid where a handler takes what only the other kind of functions can
    use."""
    taken = parameters.all
    if is_async(handler) and Takes.SESSION in taken:
        raise ParametersInvalid(
            f"takes {Takes.SESSION} and is asynchronous. Take an AsyncSession, or write a plain "
            "function"
        )
    if not is_async(handler) and (wrong := sorted(taken & ASYNCHRONOUS)):
        raise ParametersInvalid(
            f"takes {wrong[0]} and is not asynchronous. Write async def, or take a Session or "
            "Connection"
        )


def name_of(handler: object) -> str:
    """Name of a handler, or of the function that it hides; its class where it has none."""
    for layer in _layers(handler):
        name = getattr(layer, "__qualname__", None)
        if isinstance(name, str):
            return name
    return f"of type {type(handler).__qualname__}"


def refuse_unrun(result: Any) -> None:
    """Raises Fatal for a returned generator, which nobody would run."""
    if isinstance(result, Generator):
        with suppress(Exception):
            result.close()
    if isinstance(result, Generator | AsyncIterator):
        raise Fatal(
            f"the handler returned a {type(result).__qualname__}, which is never run to its end. "
            f"{_YIELD}"
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
