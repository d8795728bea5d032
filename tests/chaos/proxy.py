"""A TCP proxy whose connections can be frozen, silenced and reset."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

from relay.local.ports import HOST

__all__ = ["Proxy"]

_CHUNK = 1 << 16


class Proxy:
    """Listens on `port` and passes on to the port that `upstream` gives."""

    def __init__(self, upstream: Callable[[], int]) -> None:
        self._upstream = upstream
        self._moving = threading.Event()
        self._moving.set()
        self._links: list[_Link] = []
        self._socket = socket.create_server((HOST, 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, name=f"proxy {self.port}", daemon=True).start()

    def freeze(self) -> None:
        """Nothing moves any more, in connections that exist and in new ones."""
        self._moving.clear()

    def thaw(self) -> None:
        """What was held up arrives, and everything goes on."""
        self._moving.set()

    def silence(self) -> int:
        """The connections of now stay open and carry nothing any more; how many. New ones work."""
        links = [link for link in self._links if link.is_open]
        for link in links:
            link.silent = True
        return len(links)

    def reset(self) -> int:
        """Resets the connections of now; how many."""
        links = [link for link in self._links if link.is_open]
        for link in links:
            link.reset()
        return len(links)

    def close(self) -> None:
        """Ends everything."""
        self._socket.close()
        self._moving.set()
        for link in self._links:
            link.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            self._links = [link for link in self._links if link.is_open]
            try:
                server = socket.create_connection((HOST, self._upstream()))
            except OSError:
                client.close()
                continue
            self._links.append(_Link(client, server, self._moving))


class _Link:
    """A client's connection and the one to the server. silent: what comes is thrown away."""

    def __init__(
        self, client: socket.socket, server: socket.socket, moving: threading.Event
    ) -> None:
        self.silent = False
        self.is_open = True
        self._client, self._server, self._moving = client, server, moving
        for sock in (client, server):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for source, target in ((client, server), (server, client)):
            threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def reset(self) -> None:
        """Resets both sides."""
        self.is_open = False
        for sock in (self._client, self._server):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                # Only wakes the thread that reads; the close sends the reset.
                sock.shutdown(socket.SHUT_RD)
            sock.close()

    def close(self) -> None:
        """Closes both sides."""
        self.is_open = False
        for sock in (self._client, self._server):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                sock.close()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(_CHUNK):
                self._moving.wait()
                if not self.silent:
                    target.sendall(data)
            self._moving.wait()
        except OSError:
            pass
        # The client of a silent connection does not hear that the server has closed it.
        if not self.silent or source is self._client:
            self.close()
