"""Runs the registry as a process."""

from __future__ import annotations

import errno
import logging
import signal
import socket
import sys
from typing import Any

import uvicorn
from psycopg_pool import ConnectionPool

from relay.errors import ConfigurationInvalid
from relay.postgres.connect import libpq_url
from relay.registry.app import build_app
from relay.registry.quiet import ImpatientProtocol

__all__ = ["build_pool", "serve"]

_log = logging.getLogger("relay.registry")


def build_pool(database_url: str) -> ConnectionPool[Any]:
    """Connections for the server, not opened yet.

    A request waits 3 s for one at most, and each is tried before it is handed out, so a
    database that went away and came back is noticed by nobody who did not ask meanwhile.
    """
    return ConnectionPool(
        libpq_url(database_url),
        min_size=1,
        max_size=8,
        timeout=3.0,
        reconnect_timeout=2.0,
        open=False,
        check=ConnectionPool.check_connection,
        kwargs={
            "prepare_threshold": None,
            "application_name": "relay registry",
            "connect_timeout": 3,
            "target_session_attrs": "read-write",
        },
    )


def serve(database_url: str, host: str, port: int) -> None:
    """Answers on `host`:`port` until SIGTERM or SIGINT; requests under way are finished.

    port: 0 for a free one, which the log names. The database need not be there yet: until it
    is, requests are answered with 503.
    Raises ConfigurationInvalid when the address can't be had.
    """
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    # The pool says on each try that the database is away; the answers say it already.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    app = build_app(build_pool(database_url))
    with _listen(host, port) as listener:
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
            # Signals come here until uvicorn has handlers of its own, which must not be lost, and
            # once more when it has stopped and raises them again, which must not end the process.
            server.should_exit = True

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        _log.info("schema registry on http://%s:%d", host, listener.getsockname()[1])
        server.run(sockets=[listener])
        _log.info("schema registry stopped")


def _listen(host: str, port: int) -> socket.socket:
    try:
        listener = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=256
        )
        # asyncio sets it only where a socket names its protocol, which this one's children do
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
