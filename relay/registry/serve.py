"""Runs the registry as a process."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import signal
import socket
import sys
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from relay.errors import ConfigurationInvalid
from relay.registry.app import MEDIA_TYPE, build_app
from relay.registry.database import build_pool, refuse_bad_settings, watched

__all__ = ["serve"]

_log = logging.getLogger("relay.registry")

# Seconds without data. A client that sends a large schema needs less between two pieces.
_LONGEST_SILENCE = 10.0


class ImpatientProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection when its request, or the rest of it, does not arrive.

    uvicorn waits forever for the first request, so silent clients could use up all file handles of
    the process and lock out all others. All methods run in the event loop.
    """

    _silence: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the timer for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Restarts the timer."""
        super().data_received(data)
        self._wait()

    def send_400_response(self, msg: str) -> None:
        """Answers what is not HTTP, such as an address with bytes that are not ASCII."""
        body = json.dumps({"error_code": 400, "message": f"{msg} Is the address percent-encoded?"})
        self.transport.write(
            f"HTTP/1.1 400 Bad Request\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n{body}".encode()
        )
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the timer."""
        super().connection_lost(exc)
        if self._silence is not None:
            self._silence.cancel()

    def _wait(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
        self._silence = self.loop.call_later(_LONGEST_SILENCE, self._close_unless_answering)

    def _close_unless_answering(self) -> None:
        # A request that is being answered arrived in full, and uvicorn itself ends the wait for
        # the next one, unless a part of it has arrived.
        if (
            self.cycle is None
            or self.cycle.more_body
            or (self.cycle.response_complete and self.timeout_keep_alive_task is None)
        ):
            self.transport.close()


def serve(database_url: str, host: str, port: int) -> None:
    """Serves on `host`:`port` until SIGTERM or SIGINT; requests under way are finished.

    port: 0 for a free one, which is logged. While the database is unavailable, also at the start,
    requests are answered with 503, and the log says so. Raises ConfigurationInvalid when the
    address can't be used, DatabaseRefused.
    """
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    # The pool logs each failed attempt to connect; the answers report it already.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    app = build_app(build_pool(database_url))
    with _listen(host, port) as listener:
        refuse_bad_settings(database_url)
        config = uvicorn.Config(
            app,
            http=ImpatientProtocol,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=5,
            lifespan="on",
        )
        server = uvicorn.Server(config)

        def stop(*_: Any) -> None:
            # Called for signals before uvicorn installs its own handlers, and again when uvicorn
            # has stopped and re-raises them, which must not end the process.
            server.should_exit = True

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        _log.info("schema registry on http://%s:%d", host, listener.getsockname()[1])
        with watched(database_url):
            server.run(sockets=[listener])
        _log.info("schema registry stopped")


def _listen(host: str, port: int) -> socket.socket:
    try:
        listener = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=256
        )
        # asyncio sets it only on sockets that name their protocol, which accepted ones here do
        # not: each answer would wait 40 ms for the acknowledgement of its header.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigurationInvalid(
                f"port {port} on {host} is taken: stop what listens there or choose another "
                "with --port"
            ) from error
        raise ConfigurationInvalid(
            f"can't listen on {host}:{port}: {error.strerror or error}. Check --host and --port"
        ) from error
