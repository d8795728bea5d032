"""Measures the machine itself, so that figures from different machines can be compared."""

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

from relay.bench.options import BenchFailed
from relay.bench.testbed import BenchRelay, Testbed
from relay.kafka.options import client_options

__all__ = ["calibrate", "machine", "python_score"]

_LOOPS = 300_000
_FSYNCS = 100
_COPY_ROWS = 100_000
_PRODUCED = 300_000
_VALUE = bytes(range(100)) * 3


def machine() -> dict[str, Any]:
    """Describes the machine, by name."""
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_mb": psutil.virtual_memory().total // 2**20,
        "python": platform.python_version(),
        "librdkafka": confluent_kafka.libversion()[0],
    }


def calibrate(testbed: Testbed) -> dict[str, Any]:
    """Returns the machine's figures, none of which depends on the relay. Raises BenchFailed."""
    with testbed.relay() as relay:
        return {
            "python_score": python_score(),
            "fsync_ms": _fsync_ms(testbed.folder),
            "copy_rows_per_second": _copy_rate(relay),
            "produce_events_per_second": _produce_rate(relay, testbed.options.partitions),
        }


def python_score() -> float:
    """Returns million turns per second of a fixed loop of dicts, strings and calls, best of 3."""
    return round(max(_loop() for _ in range(3)) / 1e6, 3)


def _loop() -> float:
    seen: dict[str, int] = {}
    began = time.perf_counter()
    for number in range(_LOOPS):
        key = f"order-{number % 1000}"
        seen[key] = seen.get(key, 0) + len(key.encode())
    return _LOOPS / (time.perf_counter() - began)


def _fsync_ms(folder: Path) -> float:
    """Returns the median time to write 8 kB to the disk of the bench's own database."""
    page, times = bytes(8192), []
    with (folder / "fsync").open("wb", buffering=0) as file:
        for _ in range(_FSYNCS):
            file.write(page)
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return round(statistics.median(times) * 1000, 3)


def _copy_rate(relay: BenchRelay) -> int:
    """Returns the rows per second that COPY writes into a table with a key; 300 bytes each."""
    text = _VALUE.hex()[:300]
    lines = "".join(f"{number}\t{text}\n" for number in range(_COPY_ROWS))
    with relay.connect() as connection:
        connection.execute(
            "create table public.calibration (number bigint primary key, content text)"
        )
        began = time.perf_counter()
        with connection.cursor().copy("copy public.calibration from stdin") as copy:
            copy.write(lines)
        return round(_COPY_ROWS / (time.perf_counter() - began))


def _produce_rate(relay: BenchRelay, partitions: int) -> int:
    """Returns the records per second of a plain idempotent producer: 300 bytes, lz4, no headers."""
    options = {
        "enable.idempotence": True,
        "compression.type": "lz4",
        "linger.ms": 5,
        "queue.buffering.max.messages": _PRODUCED + 1,
    }
    producer = Producer(client_options(relay.settings, required=options))
    began = time.perf_counter()
    for number in range(_PRODUCED):
        producer.produce(relay.topic, _VALUE, partition=number % partitions)
        if number % 1000 == 0:
            producer.poll(0)
    left = producer.flush(60)
    seconds = time.perf_counter() - began
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
