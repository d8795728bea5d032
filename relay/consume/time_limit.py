"""The time limit of handlers: which are running, and how one that takes too long is interrupted."""

from __future__ import annotations

import ctypes
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg

from relay.consume.parked_queues import Head
from relay.consume.record import Record

__all__ = ["Handling", "Handlings"]

_DECISION_S: Final = 0.001


class HandlerInterrupted(BaseException):
    """Raised in the thread of a handler whose time is over; handlers that go on after any Exception
    let it through."""


@dataclass(slots=True, eq=False)
class Handling:
    """A handler that runs. backend: process id of its session's server process.

    head: of a parked event. server: where the positions that a record follows were read. alone: it
    handles no other event. over: its time is. began, interrupted_at: by time.monotonic().
    """

    record: Record
    number: int
    head: Head | None
    server: str
    alone: bool
    backend: int
    thread: int = field(default_factory=threading.get_ident)
    began: float = field(default_factory=time.monotonic)
    interrupted_at: float = 0.0
    over: bool = False
    _decided: bool = False
    _ended: bool = False


class Handlings:
    """The handlers that run in one process, one in each thread. seconds: the time limit.

    Their own threads call `begin` and `end`, the watchdog the others. None of them takes a lock:
    the exception that interrupts a handler may come anywhere, and would leave it locked.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._running: dict[int, Handling] = {}

    def begin(
        self,
        connection: psycopg.Connection[Any],
        record: Record,
        number: int,
        *,
        head: Head | None,
        server: str,
        alone: bool = True,
    ) -> Handling:
        """A handler is about to be called in this thread."""
        handling = Handling(record, number, head, server, alone, connection.info.backend_pid)
        self._running[handling.thread] = handling
        return handling

    def end(self, handling: Handling) -> None:
        """It has returned or raised. No exception of `interrupt` comes afterwards.

        May be called again, as after that exception has come in the middle of the first call.
        """
        handling._ended = True
        self._running.pop(handling.thread, None)
        if handling.over:
            # The other side of `interrupt`: whichever came first, one of the two sees the other.
            while not handling._decided:
                time.sleep(_DECISION_S)
            _raise_in(handling.thread, None)

    def forgive(self, seconds: float) -> None:
        """The process stood still for so long: no handler could return."""
        for handling in list(self._running.values()):
            handling.began += seconds

    def interrupt(self) -> list[Handling]:
        """Raises HandlerInterrupted in the threads of handlers whose time is over, until they end:
        some code lets no error through. Those whose time was not over before."""
        now = time.monotonic()
        late = []
        for handling in list(self._running.values()):
            if now - handling.began <= self.seconds:
                continue
            is_first = not handling.over
            if is_first:
                handling.interrupted_at = now
            # Before the look at `_ended`: see `end`.
            handling._decided = False
            handling.over = True
            if not handling._ended:
                _raise_in(handling.thread, HandlerInterrupted)
                if is_first:
                    late.append(handling)
            handling._decided = True
        return late

    def stuck(self, seconds: float) -> list[Handling]:
        """Handlers that have not returned within so many seconds after they were interrupted."""
        now = time.monotonic()
        return [
            handling
            for handling in list(self._running.values())
            if handling.over and not handling._ended and now - handling.interrupted_at > seconds
        ]


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Raises an error in another thread the next time it runs Python code. A call into C can delay
    that without limit. None cancels an error that was not raised yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), None if error is None else ctypes.py_object(error)
    )
