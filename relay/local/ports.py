"""Finds free TCP ports that stay usable while their server is down."""

from __future__ import annotations

import random
import socket
from contextlib import suppress
from pathlib import Path

import psutil

__all__ = ["HOST", "describe_listener", "free_port", "is_free", "listener"]

HOST = "127.0.0.1"

_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_DEFAULT_RANGE_START = 32_768
_LOWEST = 15_000
_ATTEMPTS = 200


def is_free(port: int) -> bool:
    """Checks whether a server could listen on `port` of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Servers set it too; without it a port in TIME_WAIT counts as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port() -> int:
    """Returns a port that nothing listens on, below the range of outgoing connections.

    While a server is down its clients keep connecting. In the outgoing range a client may get
    that port as its own, connect to itself (RFC 9293, simultaneous open), and so block the server.
    """
    try:
        upper = int(_RANGE_FILE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        upper = _DEFAULT_RANGE_START
    if upper - _LOWEST >= _ATTEMPTS:
        for port in random.sample(range(_LOWEST, upper), _ATTEMPTS):
            if is_free(port):
                return port
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def listener(port: int) -> psutil.Process | None:
    """Returns the process that listens on a TCP port; None if it is not known."""
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN
            if listens and connection.laddr and connection.laddr.port == port and connection.pid:
                return psutil.Process(connection.pid)
    except psutil.Error:
        return None
    return None


def describe_listener(port: int) -> str:
    """Names the listener on a port, for a message: `postgres (pid 12)`, or `another process`."""
    process = listener(port)
    with suppress(psutil.Error):
        if process is not None:
            return f"{process.name()} (pid {process.pid})"
    return "another process"
