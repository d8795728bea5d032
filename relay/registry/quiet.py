"""Closes connections on which nothing comes."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["ImpatientProtocol"]

# Seconds. A client that is given time to write a large schema needs less between two pieces.
_LONGEST_SILENCE = 10.0


class ImpatientProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection when its request, or the rest of it, does not come.

    uvicorn waits for ever until the first request is complete, so that as many silent clients as
    a process may have files open would keep all others out. All methods run in the event loop.
    """

    _silence: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Waits anew for what is missing."""
        super().data_received(data)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the wait."""
        super().connection_lost(exc)
        if self._silence is not None:
            self._silence.cancel()

    def _wait(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
        self._silence = self.loop.call_later(_LONGEST_SILENCE, self._close_unless_answering)

    def _close_unless_answering(self) -> None:
        # What is being answered was sent in full, and uvicorn ends the wait for a next request
        # itself, unless a part of it has come.
        if (
            self.cycle is None
            or self.cycle.more_body
            or (self.cycle.response_complete and self.timeout_keep_alive_task is None)
        ):
            self.transport.close()
