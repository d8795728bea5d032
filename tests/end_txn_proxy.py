"""A proxy before a broker that holds the first copy of a commit and delivers it late.

It takes the first copy of an EndTxn(commit) of one producer, takes the client's connection away
and keeps the broker's open, lets the client send EndTxn again, and hands the first copy to the
broker while the next transaction is open. A network that delays a packet does the same.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from relay.errors import StackFailed
from relay.local.ports import HOST

__all__ = ["POINTS", "Cut", "Injection", "Point", "Proxy"]

PRODUCE, ADD_PARTITIONS, END_TXN = 0, 24, 26
ERRORS = {0: "NONE", 47: "INVALID_PRODUCER_EPOCH", 48: "INVALID_TXN_STATE", 90: "PRODUCER_FENCED"}

# When the held copy is handed over, in the course of the next transaction.
Point = Literal[
    "before-add",  # its first AddPartitionsToTxn waits behind the late copy
    "after-add",  # its first partitions are registered, nothing is produced yet
    "after-produce",  # events are on their way or acknowledged; the position record waits
    "race",  # events are acknowledged; all else goes on meanwhile
    "after-position",  # the position record is written too, its acknowledgement is kept back
    "after-commit",  # it is committed as well
]
POINTS: tuple[Point, ...] = Point.__args__  # type: ignore[attr-defined]
# What the client sees of its connection: reset, closed in order, nothing at all.
Cut = Literal["reset", "closed", "silent"]

_KEEP_BACK_S = 0.2


class Request:
    """One request: the fields of its header that matter, and the frame as it came."""

    def __init__(self, frame: bytes) -> None:
        self.frame = frame
        self.api, self.version, self.correlation, size = struct.unpack_from(">hhih", frame, 4)
        self.client = frame[14 : 14 + max(size, 0)].decode(errors="replace")
        self.body = frame[14 + max(size, 0) :]

    @property
    def commits(self) -> bool:
        """Of an EndTxn (v0 to v2): whether it commits."""
        if self.api != END_TXN:
            return False
        (size,) = struct.unpack_from(">h", self.body)
        return bool(self.body[2 + size + 8 + 2])


def error_of_end_txn(answer: bytes) -> str:
    """The error in an EndTxn response (v0 to v2), behind correlation id and throttle time."""
    (code,) = struct.unpack_from(">h", answer, 8)
    return ERRORS.get(code, str(code))


@dataclass
class Injection:
    """What became of one held commit. late_answer: the broker's, None while it is held."""

    point: Point
    cut: Cut
    resend_answer: str | None = None
    late_answer: str | None = None


class Proxy:
    """Listens on `port`, which the broker has to advertise. One injection at a time.

    upstream: gives the broker's port. client: the `client.id` of the attacked producer. positions:
    name of the positions topic.
    """

    def __init__(self) -> None:
        self.client = self.positions = ""
        self.upstream: Callable[[], int] = lambda: 0
        self.changed = threading.Condition(threading.RLock())
        # idle, armed, held (first copy taken), resent (second copy answered), done
        self.stage = "idle"
        self.injection: Injection | None = None
        self._held: tuple[_Link, Request] | None = None
        # Set unless a late copy is being handed over.
        self._gate = threading.Event()
        self._gate.set()
        self._links: list[_Link] = []
        self._socket = socket.create_server((HOST, 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def inject(self, point: Point, cut: Cut, timeout: float) -> Injection:
        """Attacks the next commit; what became of it, finished or not."""
        injection = Injection(point, cut)
        with self.changed:
            self.stage, self.injection, self._held = "armed", injection, None
            self.changed.wait_for(lambda: self.stage == "done", timeout)
            self.stage = "idle"
        self._gate.set()
        return injection

    def close(self) -> None:
        """Closes the listening socket and all connections."""
        self._socket.close()
        for link in self._links:
            link.close()

    def request(self, link: _Link, request: Request) -> bool:
        """Sees a request; whether it goes to the broker."""
        if request.client != self.client:
            return True
        with self.changed:
            if self.stage == "armed" and request.commits:
                assert self.injection is not None
                self._held = (link, request)
                self.stage = "held"
                link.cut(self.injection.cut)
                return False
            point = self.injection.point if self.injection else None
            is_position = request.api == PRODUCE and self._is_position(request)
            release = self.stage == "resent" and (
                (point == "before-add" and request.api == ADD_PARTITIONS)
                or (point == "after-produce" and is_position)
            )
        if release:
            self._release()
        if point == "after-produce" and is_position:
            self._gate.wait(15)
        return True

    def response(self, link: _Link, request: Request, answer: bytes) -> None:
        """Sees an answer before the client does."""
        if request.client != self.client:
            return
        with self.changed:
            if self.injection is None:
                return
            point, release = self.injection.point, False
            if self.stage == "held" and request.commits and not link.is_cut:
                self.injection.resend_answer = error_of_end_txn(answer)
                self.stage = "resent"
            elif self.stage == "resent" and request.api == ADD_PARTITIONS:
                release = point == "after-add"
            elif self.stage == "resent" and request.api == PRODUCE:
                written = "after-position" if self._is_position(request) else point
                release = written == point and point in ("after-position", "after-produce", "race")
            elif self.stage == "resent" and request.commits:
                release = point == "after-commit"
        if release:
            self._release()
            if point == "after-position":
                threading.Event().wait(_KEEP_BACK_S)

    def _is_position(self, request: Request) -> bool:
        return self.positions.encode() in request.body

    def _release(self) -> None:
        """Hands the held copy to the broker and waits for its answer."""
        with self.changed:
            if self._held is None or self.injection is None:
                return
            (link, request), self._held = self._held, None
            self._gate.clear()
        self.injection.late_answer = link.send_late(request)
        link.close()
        with self.changed:
            self.stage = "done"
            self.changed.notify_all()
        self._gate.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            try:
                self._links.append(_Link(self, client))
            except (OSError, StackFailed):  # the broker is not there yet
                client.close()


class _Link:
    """One client's connection and the connection to the broker behind it."""

    def __init__(self, proxy: Proxy, client: socket.socket) -> None:
        self.proxy, self.client = proxy, client
        self.broker = socket.create_connection((HOST, proxy.upstream()))
        for sock in (client, self.broker):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.is_cut = False
        self._pending: dict[int, Request] = {}
        self._late: dict[int, bytes] = {}
        self._answered = threading.Condition()
        threading.Thread(target=self._up, daemon=True).start()
        threading.Thread(target=self._down, daemon=True).start()

    def cut(self, how: Cut) -> None:
        """Takes the client's side away; the broker's stays."""
        self.is_cut = True
        if how == "silent":
            return
        if how == "reset":
            self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with contextlib.suppress(OSError):
            if how == "closed":
                self.client.shutdown(socket.SHUT_RDWR)
            self.client.close()

    def send_late(self, request: Request) -> str:
        """Sends a held request to the broker; the error in its answer."""
        try:
            self.broker.sendall(request.frame)
        except OSError as error:
            return f"the broker has closed the connection: {error}"
        with self._answered:
            if not self._answered.wait_for(lambda: request.correlation in self._late, 10):
                return "no answer"
        return error_of_end_txn(self._late[request.correlation])

    def close(self) -> None:
        """Closes both sides."""
        for sock in (self.client, self.broker):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                sock.close()

    def _up(self) -> None:
        try:
            while True:
                request = Request(_frame(self.client))
                self._pending[request.correlation] = request
                if self.proxy.request(self, request):
                    self.broker.sendall(request.frame)
        except (OSError, struct.error):
            if not self.is_cut:
                self.close()

    def _down(self) -> None:
        try:
            while True:
                frame = _frame(self.broker)
                (correlation,) = struct.unpack_from(">i", frame, 4)
                request = self._pending.pop(correlation, None)
                if request is not None:
                    self.proxy.response(self, request, frame[4:])
                if not self.is_cut:
                    self.client.sendall(frame)
                    continue
                with self._answered:
                    self._late[correlation] = frame[4:]
                    self._answered.notify_all()
        except OSError:
            self.close()


def _frame(sock: socket.socket) -> bytes:
    head = _exactly(sock, 4)
    return head + _exactly(sock, struct.unpack(">i", head)[0])


def _exactly(sock: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = sock.recv(min(size, 1 << 20))
        if not part:
            raise ConnectionResetError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
