"""A broker that some clients reach through proxies."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from relay.local.kafka import LocalKafka
from relay.local.ports import HOST, free_port
from tests.chaos.proxy import Proxy

__all__ = ["ProxiedKafka"]

_PROPERTIES = {
    "group.min.session.timeout.ms": "1000",
    # One busy second does not fence the only broker.
    "broker.session.timeout.ms": "6000",
    "broker.heartbeat.interval.ms": "500",
}


class ProxiedKafka(LocalKafka):
    """Each proxy has a listener of its own. A client that begins at a proxy is sent back to it,
    since the proxy's port is what that listener advertises."""

    def __init__(self, dir: Path, names: Iterable[str], **options: Any) -> None:
        super().__init__(dir, properties=_PROPERTIES, **options)
        self._listeners = {name: free_port() for name in names}
        self.proxies = {
            name: Proxy(lambda port=port: port)  # type: ignore[misc]
            for name, port in self._listeners.items()
        }

    def _prepare(self) -> None:
        def addresses(ports: dict[str, int]) -> str:
            return ",".join(f"{name.upper()}://{HOST}:{port}" for name, port in ports.items())

        direct = {"plaintext": self.port}
        listening = direct | self._listeners
        protocols = [f"{name.upper()}:PLAINTEXT" for name in (*listening, "controller")]
        advertised = direct | {name: proxy.port for name, proxy in self.proxies.items()}
        self.properties |= {
            "listeners": addresses(listening | {"controller": self._port("controller_port")}),
            "advertised.listeners": addresses(advertised),
            "listener.security.protocol.map": ",".join(protocols),
            "inter.broker.listener.name": "PLAINTEXT",
        }
        super()._prepare()
