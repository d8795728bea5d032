"""A producer as C, Go and Rust clients are: header names are any bytes."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

import confluent_kafka

__all__ = ["produce"]

_TOPIC, _VALUE, _KEY, _FLAGS, _HEADERS, _END = 1, 4, 5, 7, 10, 0
_COPY = 2


def produce(
    servers: str,
    topic: str,
    key: bytes,
    value: bytes,
    headers: Sequence[tuple[bytes, bytes]],
) -> None:
    """Produces one record with librdkafka itself, which the Python client comes with."""
    folder = Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs"
    library = ctypes.CDLL(str(next(folder.glob("librdkafka*"))))
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_headers_new"):
        getattr(library, name).restype = ctypes.c_void_p
    error = ctypes.create_string_buffer(512)
    conf = ctypes.c_void_p(library.rd_kafka_conf_new())
    library.rd_kafka_conf_set(conf, b"bootstrap.servers", servers.encode(), error, 512)
    client = ctypes.c_void_p(library.rd_kafka_new(0, conf, error, 512))
    assert client.value, error.value
    given = ctypes.c_void_p(library.rd_kafka_headers_new(ctypes.c_size_t(len(headers))))
    for name, content in headers:
        library.rd_kafka_header_add(
            given, name, ctypes.c_ssize_t(len(name)), content, ctypes.c_ssize_t(len(content))
        )
    refused = library.rd_kafka_producev(
        client,
        _TOPIC, topic.encode(),
        _VALUE, value, ctypes.c_size_t(len(value)),
        _KEY, key, ctypes.c_size_t(len(key)),
        _FLAGS, _COPY,
        _HEADERS, given,
        _END,
    )  # fmt: skip
    assert refused == 0
    assert library.rd_kafka_flush(client, 20_000) == 0
    library.rd_kafka_destroy(client)
