"""How many compatibility checks the registry answers, and what a check costs it."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import psutil

from relay.bench.latency import percentile
from relay.bench.options import BenchFailed, Options
from relay.bench.place import Place
from relay.bench.usage import cpu_seconds

__all__ = ["CONNECTIONS", "VERSIONS", "registry_checks"]

CONNECTIONS = 4
VERSIONS = 5

# More than the registry remembers, so that every proposed schema is read anew.
_PROPOSALS = 2_000
_FIELDS = 20
_LEVELS = {"latest": "BACKWARD", "all_versions": "FULL_TRANSITIVE"}
_HEADERS = {"Content-Type": "application/vnd.schemaregistry.v1+json"}


def registry_checks(place: Place, options: Options) -> dict[str, Any]:
    """Asks the registry again and again whether a schema may follow, half of which may not.

    Measured twice: against the latest of five versions, and against all of them in both
    directions. The registry must answer each correctly. Its CPU time is None where its process
    is not on this machine. Raises BenchFailed.
    """
    url = place.servers.registry_url.partition(",")[0]
    subject = f"{place.name}-checks"
    server = _listener(urlsplit(url).port or 80)
    try:
        _must(url, "PUT", f"/config/{subject}", {"compatibility": "FULL_TRANSITIVE"})
        for version in range(VERSIONS):
            _must(url, "POST", f"/subjects/{subject}/versions", {"schema": _schema(version)})
        figures: dict[str, Any] = {}
        for name, level in _LEVELS.items():
            _must(url, "PUT", f"/config/{subject}", {"compatibility": level})
            figures |= _measure(name, url, subject, server, options)
        return figures
    finally:
        for query in ("", "?permanent=true"):
            with _Connection(url) as connection:
                connection.ask("DELETE", f"/subjects/{subject}{query}")


def _measure(
    name: str, url: str, subject: str, server: psutil.Process | None, options: Options
) -> dict[str, Any]:
    address = f"/compatibility/subjects/{subject}/versions"
    seconds = options.seconds / len(_LEVELS)

    def ask(worker: int) -> Sequence[float]:
        times = []
        with _Connection(url) as connection:
            number = worker
            while time.perf_counter() < ends:
                fits = number % 2 == 0
                body = {"schema": _schema(number % _PROPOSALS + VERSIONS, fits=fits)}
                began = time.perf_counter()
                verdict = connection.must("POST", address, body)
                times.append(time.perf_counter() - began)
                if verdict != {"is_compatible": fits}:
                    raise BenchFailed(f"the registry answered {verdict} to proposal {number}")
                number += CONNECTIONS
        return times

    cpu_before = cpu_seconds(server)
    began = time.perf_counter()
    ends = began + seconds
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        times = sorted(one for part in threads.map(ask, range(CONNECTIONS)) for one in part)
    took = time.perf_counter() - began
    cpu_after = cpu_seconds(server)
    if not times:
        raise BenchFailed("no check was answered in time: raise --seconds")
    cpu = None if cpu_before is None or cpu_after is None else cpu_after - cpu_before
    return {
        f"{name}_checks_per_second": round(len(times) / took, 1),
        f"{name}_p50_ms": round(percentile(times, 50) * 1000, 2),
        f"{name}_p99_ms": round(percentile(times, 99) * 1000, 2),
        f"{name}_server_cpu_ms_per_check": None
        if cpu is None
        else round(cpu / len(times) * 1e3, 3),
        f"{name}_checks_per_minute_of_server_cpu": None
        if not cpu
        else round(len(times) / cpu * 60),
    }


def _schema(number: int, *, fits: bool = True) -> str:
    """An order of twenty fields and one optional one that only this number has."""
    fields: list[dict[str, Any]] = [
        {"name": f"field_{index}", "type": _TYPES[index % len(_TYPES)], "doc": "one of many"}
        for index in range(_FIELDS)
    ]
    fields[1] = {
        "name": "state",
        "type": {"type": "enum", "name": "State", "symbols": ["OPEN", "PAID", "SENT"]},
    }
    if not fits:
        fields[0] = {**fields[0], "type": "boolean"}
    fields.append({"name": f"extra_{number}", "type": ["null", "string"], "default": None})
    return json.dumps(
        {"type": "record", "name": "Order", "namespace": "relay.bench", "fields": fields}
    )


_TYPES: tuple[Any, ...] = (
    "string",
    "long",
    ["null", "double"],
    {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2},
    {"type": "array", "items": "string"},
)


class _Connection:
    """One connection to the registry that stays open; of one thread."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self._connection = kind(parts.hostname or "", parts.port, timeout=30)
        self._path = parts.path.rstrip("/")

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, method: str, address: str, body: Any = None) -> tuple[int, Any]:
        """(HTTP status, JSON). Raises BenchFailed when nothing answers."""
        try:
            content = None if body is None else json.dumps(body).encode()
            self._connection.request(method, self._path + address, content, _HEADERS)
            response = self._connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise BenchFailed(f"the registry did not answer {method} {address}: {error}") from error

    def must(self, method: str, address: str, body: Any = None) -> Any:
        """The JSON of a request that must succeed. Raises BenchFailed."""
        status, content = self.ask(method, address, body)
        if status != 200:
            raise BenchFailed(f"the registry refused {method} {address}: {content}")
        return content


def _must(url: str, method: str, address: str, body: Any) -> Any:
    """A request over a connection of its own: servers close those that stay idle."""
    with _Connection(url) as connection:
        return connection.must(method, address, body)


def _listener(port: int) -> psutil.Process | None:
    """The process of this machine that listens on a port, None when it can't be known."""
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN
            if listens and connection.laddr and connection.laddr.port == port and connection.pid:
                return psutil.Process(connection.pid)
    except psutil.Error:
        return None
    return None
