"""Free TCP ports that stay usable while their server is down."""

from __future__ import annotations

import random
import socket
from pathlib import Path

import psutil

__all__ = ["HOST", "free_port", "holder_of", "is_free"]

HOST = "127.0.0.1"

_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 15_000
_ATTEMPTS = 200


def is_free(port: int) -> bool:
    """True when a server could listen on `port` of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Servers set it too; without it the remains of closed connections count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that nothing listens on, below the range of outgoing connections.

    While a server is down its clients keep connecting. On a port of the outgoing range such a
    client may be given that very port as its own, connect to itself (RFC 9293, simultaneous
    open) and so keep the server from coming back.
    """
    upper = _first_outgoing_port()
    if upper - _LOWEST >= _ATTEMPTS:
        for port in random.sample(range(_LOWEST, upper), _ATTEMPTS):
            if is_free(port):
                return port
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def holder_of(port: int) -> str:
    """Who listens on `port`, for a message: `postgres (pid 12)`, or `another process`."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.laddr
                and connection.laddr.port == port
                and connection.pid
            ):
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        return "another process"
    return "another process"


def _first_outgoing_port() -> int:
    try:
        return int(_RANGE_FILE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 32_768
