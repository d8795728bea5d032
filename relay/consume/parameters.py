"""What a handler takes, by the annotations of its parameters."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Union, get_args, get_origin

from relay.consume.context import Context
from relay.events import DomainEvent

__all__ = ["ASYNCHRONOUS", "Parameters", "ParametersInvalid", "Takes", "parameters_of"]


class Takes(StrEnum):
    """What a parameter gets, by the words that messages use for it."""

    EVENT = "the event"
    EVENTS = "a batch of events"
    CONTEXT = "a Context"
    CONTEXTS = "the Contexts of a batch"
    CONNECTION = "a psycopg Connection"
    ASYNC_CONNECTION = "a psycopg AsyncConnection"
    SESSION = "a SQLAlchemy Session"
    ASYNC_SESSION = "a SQLAlchemy AsyncSession"


ASYNCHRONOUS: Final = {Takes.ASYNC_CONNECTION, Takes.ASYNC_SESSION}
# By name, so that nothing is imported that a handler does not use.
_BY_NAME: Final = {
    "psycopg.Connection": Takes.CONNECTION,
    "psycopg.AsyncConnection": Takes.ASYNC_CONNECTION,
    "sqlalchemy.orm.session.Session": Takes.SESSION,
    "sqlalchemy.ext.asyncio.session.AsyncSession": Takes.ASYNC_SESSION,
}
_ONES: Final = "an event class, Context, Session, AsyncSession, Connection or AsyncConnection"
_UNREADABLE: Final = object()


class ParametersInvalid(Exception):
    """The reason why a handler can't be called, as the end of a sentence."""


@dataclass(frozen=True)
class Parameters:
    """positional: what is given in order. named: what is given by name."""

    positional: Sequence[Takes] = ()
    named: Mapping[str, Takes] = field(default_factory=dict)

    @property
    def all(self) -> set[Takes]:
        """Everything that the handler takes."""
        return {*self.positional, *self.named.values()}

    @property
    def batch(self) -> bool:
        """Whether it takes several events at once."""
        return Takes.EVENTS in self.all


def parameters_of(handler: Any, event_class: type[DomainEvent]) -> Parameters:
    """What `handler` takes for events of `event_class`. Raises ParametersInvalid.

    A parameter without an annotation, or with one that says nothing, is the event where it comes
    first, and the Context where it comes second.
    """
    try:
        # Of the decorator, not of the function inside: that may get further arguments.
        signature = inspect.signature(handler, follow_wrapped=False)
    except (TypeError, ValueError):
        return Parameters((Takes.EVENT, Takes.CONTEXT))  # functions in C need not have one
    positional: list[Takes] = []
    named: dict[str, Takes] = {}
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional += [Takes.EVENT, Takes.CONTEXT][len(positional) :]
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            continue
        takes = _takes(parameter, handler, event_class, positional)
        if takes is None:
            continue
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[parameter.name] = takes
        else:
            positional.append(takes)
    found = Parameters(tuple(positional), named)
    _check(found)
    return found


def _takes(
    parameter: inspect.Parameter,
    handler: Any,
    event_class: type[DomainEvent],
    before: Sequence[Takes],
) -> Takes | None:
    """None for a parameter that keeps its default. before: what the parameters before it take."""
    annotation = _read(parameter.annotation, handler)
    says_nothing = annotation in (parameter.empty, Any, object, _UNREADABLE)
    if not says_nothing:
        found = _by_annotation(annotation, parameter, event_class, wanted=not before)
        if found is not None:
            return found
    if parameter.default is not parameter.empty:
        return None
    by_place = parameter.kind is not parameter.KEYWORD_ONLY and len(before) < 2
    if by_place and (says_nothing or _may_be_context(annotation)):
        return (Takes.EVENT, Takes.CONTEXT)[len(before)]
    said = "can't be read" if annotation is _UNREADABLE else "names nothing that a handler gets"
    raise ParametersInvalid(
        f"has a parameter {parameter.name} whose annotation {said}. Annotate it with {_ONES}, "
        "imported where the handler is defined"
    )


def _by_annotation(
    annotation: Any,
    parameter: inspect.Parameter,
    event_class: type[DomainEvent],
    *,
    wanted: bool,
) -> Takes | None:
    """wanted: the event is looked for, so that whatever else is named is wrong."""
    element = _element(annotation)
    if element is not None:
        if element is Context:
            return Takes.CONTEXTS
        _check_event(list(_alternatives(element)), parameter, event_class)
        return Takes.EVENTS
    alternatives = list(_alternatives(annotation))
    for kind in alternatives:
        if kind is Context:
            return Takes.CONTEXT
        if (found := _by_class(kind)) is not None:
            return found
    if _names_events(alternatives) or (wanted and parameter.default is parameter.empty):
        _check_event(alternatives, parameter, event_class)
        return Takes.EVENT
    return None


def _may_be_context(annotation: Any) -> bool:
    kinds = list(_alternatives(annotation))
    return any(not isinstance(kind, type) or _is_base(kind, Context) for kind in kinds)


def _check_event(
    kinds: Sequence[Any], parameter: inspect.Parameter, event_class: type[DomainEvent]
) -> None:
    """Raises ParametersInvalid where none of `kinds` can be an event of `event_class`."""
    classes = [kind for kind in kinds if isinstance(kind, type)]
    if len(classes) < len(kinds):
        return  # a TypeVar or a Protocol with parameters: nothing can be said
    if any(_is_base(kind, event_class) for kind in classes):
        return
    names = " | ".join(kind.__qualname__ for kind in classes)
    raise ParametersInvalid(
        f"has a parameter {parameter.name} of {names}, which gets no {event_class.__qualname__}. "
        f"Annotate it with {event_class.__qualname__}, or another one with {_ONES}"
    )


def _is_base(kind: type, of: type) -> bool:
    try:
        return issubclass(of, kind)
    except TypeError:
        return True  # a Protocol that can't be asked


def _names_events(kinds: Sequence[Any]) -> bool:
    return any(isinstance(kind, type) and issubclass(kind, DomainEvent) for kind in kinds)


def _by_class(kind: Any) -> Takes | None:
    if not isinstance(kind, type):
        return None
    names = (f"{base.__module__}.{base.__qualname__}" for base in kind.__mro__)
    return next((_BY_NAME[name] for name in names if name in _BY_NAME), None)


def _element(annotation: Any) -> Any:
    """What a sequence is of; None for anything else."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if not (isinstance(origin, type) and issubclass(origin, Sequence)) or not arguments:
        return None
    return arguments[0]


def _alternatives(annotation: Any) -> Iterator[Any]:
    """The members of a union without None, and each without its parameters."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        for each in get_args(annotation):
            yield from _alternatives(each)
    elif origin is typing.Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif annotation is not type(None):
        yield annotation if origin is None else origin


def _read(annotation: Any, handler: Any) -> Any:
    """An annotation that is a string, evaluated where the function was defined."""
    if not isinstance(annotation, str):
        return annotation
    function = inspect.unwrap(getattr(handler, "func", handler))
    if not hasattr(function, "__code__"):
        function = getattr(function, "__func__", type(handler).__call__)
    try:
        return eval(annotation, getattr(function, "__globals__", {}), _enclosed(function))
    except Exception:
        # As of a name that is imported for type checkers only.
        return _UNREADABLE


def _enclosed(function: Any) -> dict[str, Any]:
    """What a function sees of the functions around it."""
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    cells = getattr(function, "__closure__", None) or ()
    found = {}
    for name, cell in zip(names, cells, strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            continue
    return found


def _check(found: Parameters) -> None:
    everything = found.all
    if not everything & {Takes.EVENT, Takes.EVENTS}:
        raise ParametersInvalid("takes no event. Give it a parameter for the event")
    if Takes.EVENT in everything and Takes.EVENTS in everything:
        raise ParametersInvalid("takes an event and a batch of events. Leave one out")
    if Takes.CONTEXT in everything and found.batch:
        raise ParametersInvalid(
            "takes a batch of events and one Context. Take Sequence[Context], one for each event"
        )
    if Takes.CONTEXTS in everything and not found.batch:
        raise ParametersInvalid("takes Sequence[Context] and one event. Take a Context")
