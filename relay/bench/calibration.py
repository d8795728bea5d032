"""How fast the machine itself is, so that figures from different machines can be compared."""

from __future__ import annotations

import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

import confluent_kafka
import psutil
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from psycopg import sql

from relay.bench.options import BenchFailed, Options
from relay.bench.place import Place
from relay.kafka import topics
from relay.kafka.options import client_options
from relay.postgres.connect import connect
from relay.settings import load_settings

__all__ = ["calibrate", "machine", "python_score"]

_LOOPS = 300_000
_FSYNCS = 100
_COPY_ROWS = 100_000
_PRODUCED = 300_000
_VALUE = bytes(range(100)) * 3


def machine() -> dict[str, Any]:
    """What is measured on, by name."""
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_mb": psutil.virtual_memory().total // 2**20,
        "python": platform.python_version(),
        "librdkafka": confluent_kafka.libversion()[0],
    }


def calibrate(place: Place, options: Options) -> dict[str, Any]:
    """The machine's figures, none of which the relay has a part in. Raises BenchFailed."""
    return {
        "python_score": python_score(),
        "fsync_ms": _fsync_ms(place.folder),
        "copy_rows_per_second": _copy_rate(place),
        "produce_events_per_second": _produce_rate(place, options),
    }


def python_score() -> float:
    """Million turns a second of a fixed loop of dicts, strings and calls on one core, best of 3."""
    return round(max(_loop() for _ in range(3)) / 1e6, 3)


def _loop() -> float:
    seen: dict[str, int] = {}
    began = time.perf_counter()
    for number in range(_LOOPS):
        key = f"order-{number % 1000}"
        seen[key] = seen.get(key, 0) + len(key.encode())
    return _LOOPS / (time.perf_counter() - began)


def _fsync_ms(folder: Path) -> float:
    """Median time to bring 8 kB to disk, where the bench's own database would lie."""
    page, times = bytes(8192), []
    with (folder / "fsync").open("wb", buffering=0) as file:
        for _ in range(_FSYNCS):
            file.write(page)
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return round(statistics.median(times) * 1000, 3)


def _copy_rate(place: Place) -> int:
    """Rows a second that COPY brings into a table with a key; 300 bytes each."""
    table = sql.Identifier(f"{place.name}_calibration")
    text = _VALUE.hex()[:300]
    lines = "".join(f"{number}\t{text}\n" for number in range(_COPY_ROWS))
    with connect(place.servers.database_url, application_name="relay bench") as connection:
        connection.execute(
            sql.SQL("create table {} (number bigint primary key, content text)").format(table)
        )
        try:
            began = time.perf_counter()
            with connection.cursor().copy(sql.SQL("copy {} from stdin").format(table)) as copy:
                copy.write(lines)
            return round(_COPY_ROWS / (time.perf_counter() - began))
        finally:
            connection.execute(sql.SQL("drop table {}").format(table))


def _produce_rate(place: Place, options: Options) -> int:
    """Records a second of a plain idempotent producer: 300 bytes each, lz4, no headers."""
    settings = load_settings(
        database_url=place.servers.database_url,
        kafka_bootstrap_servers=place.servers.bootstrap_servers,
    )
    admin = AdminClient(client_options(settings))
    topic = f"{place.name}_calibration"
    topics.create(admin, {topic: options.partitions})
    producer = Producer(
        {
            **client_options(settings),
            "enable.idempotence": True,
            "compression.type": "lz4",
            "linger.ms": 5,
            "queue.buffering.max.messages": _PRODUCED + 1,
        }
    )
    try:
        began = time.perf_counter()
        for number in range(_PRODUCED):
            producer.produce(topic, _VALUE, partition=number % options.partitions)
            if number % 1000 == 0:
                producer.poll(0)
        left = producer.flush(60)
        seconds = time.perf_counter() - began
    finally:
        for future in admin.delete_topics([topic]).values():
            future.exception()
    if left:
        raise BenchFailed(f"{left} records of the calibration were not acknowledged in a minute")
    return round(_PRODUCED / seconds)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
