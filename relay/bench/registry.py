"""Measures how many compatibility checks the registry answers, and what they cost it."""

from __future__ import annotations

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any
from urllib.parse import urlsplit

import psutil

from relay.bench.latency import percentile
from relay.bench.options import BenchFailed
from relay.bench.testbed import Testbed
from relay.bench.usage import CpuTime
from relay.local.ports import listener

__all__ = ["CONNECTIONS", "VERSIONS", "registry_checks"]

CONNECTIONS = 4
VERSIONS = 5

# More than the registry caches, so that every proposed schema is parsed.
_PROPOSALS = 2_000
_FIELDS = 20
_LEVELS = {"latest": "BACKWARD", "all_versions": "FULL_TRANSITIVE"}
_HEADERS = {"Content-Type": "application/vnd.schemaregistry.v1+json"}


def registry_checks(testbed: Testbed) -> dict[str, Any]:
    """Checks whether schemas may follow, half of which may not.

    Measured twice: against the latest of five versions, and against all of them in both
    directions. The registry must answer each correctly. Its CPU time is None if its process
    is not on this machine. Raises BenchFailed.
    """
    url = testbed.servers.registry_url.partition(",")[0]
    subject = f"{testbed.name}-checks"
    server = listener(urlsplit(url).port or 80)
    try:
        _request(url, "PUT", f"/config/{subject}", {"compatibility": "FULL_TRANSITIVE"})
        for version in range(VERSIONS):
            _request(url, "POST", f"/subjects/{subject}/versions", {"schema": _schema(version)})
        figures: dict[str, Any] = {}
        for name, level in _LEVELS.items():
            _request(url, "PUT", f"/config/{subject}", {"compatibility": level})
            seconds = testbed.options.seconds / len(_LEVELS)
            figures |= _measure(name, url, subject, server, seconds)
        return figures
    finally:
        for query in ("", "?permanent=true"):
            with suppress(BenchFailed):
                _request(url, "DELETE", f"/subjects/{subject}{query}")


def _measure(
    name: str, url: str, subject: str, server: psutil.Process | None, seconds: float
) -> dict[str, Any]:
    path = f"/compatibility/subjects/{subject}/versions"
    cpu = CpuTime({"server": server})
    began = time.perf_counter()

    def check(worker: int) -> list[float]:
        times = []
        number = worker
        with closing(_connect(url)) as connection:
            while time.perf_counter() < began + seconds:
                fits = number % 2 == 0
                body = {"schema": _schema(number % _PROPOSALS + VERSIONS, fits=fits)}
                sent = time.perf_counter()
                verdict = _send(connection, url, "POST", path, body)
                times.append(time.perf_counter() - sent)
                if verdict != {"is_compatible": fits}:
                    raise BenchFailed(f"the registry answered {verdict} to proposal {number}")
                number += CONNECTIONS
        return times

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        times = sorted(one for part in threads.map(check, range(CONNECTIONS)) for one in part)
    took = time.perf_counter() - began
    if not times:
        raise BenchFailed("no check was answered in time: raise --seconds")
    milliseconds = cpu.used(per=len(times) / 1e3, digits=3)["server"]
    return {
        f"{name}_checks_per_second": round(len(times) / took, 1),
        f"{name}_p50_ms": round(percentile(times, 50) * 1000, 2),
        f"{name}_p99_ms": round(percentile(times, 99) * 1000, 2),
        f"{name}_server_cpu_ms_per_check": milliseconds,
        f"{name}_checks_per_minute_of_server_cpu": round(60_000 / milliseconds)
        if milliseconds
        else None,
    }


def _schema(number: int, *, fits: bool = True) -> str:
    """Returns an order of twenty fields and an optional one that only this number has."""
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


def _connect(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=30)


def _send(
    connection: http.client.HTTPConnection, url: str, method: str, path: str, body: Any = None
) -> Any:
    """Returns the JSON of a successful response. Raises BenchFailed."""
    try:
        content = None if body is None else json.dumps(body).encode()
        connection.request(method, urlsplit(url).path.rstrip("/") + path, content, _HEADERS)
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise BenchFailed(f"the registry did not answer {method} {path}: {error}") from error
    if response.status != 200:
        raise BenchFailed(f"the registry refused {method} {path}: {answer}")
    return answer


def _request(url: str, method: str, path: str, body: Any = None) -> Any:
    """Sends one request over a new connection: servers close idle ones."""
    with closing(_connect(url)) as connection:
        return _send(connection, url, method, path, body)
