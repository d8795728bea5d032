"""Computes the partition of a key as Java clients do."""

from __future__ import annotations

import struct

__all__ = ["murmur2", "partition_of"]

_MASK = 0xFFFFFFFF
_M = 0x5BD1E995


def murmur2(key: bytes) -> int:
    """Computes MurmurHash2 with Kafka's seed, as an unsigned 32-bit number.

    Source: Austin Appleby's MurmurHash2, and Kafka's `org.apache.kafka.common.utils.Utils.murmur2`
    for the seed.
    """
    length = len(key)
    hash_ = (0x9747B28C ^ length) & _MASK
    whole = length & ~3
    for (word,) in struct.iter_unpack("<I", key[:whole]):
        k = (word * _M) & _MASK
        k ^= k >> 24
        hash_ = ((hash_ * _M) ^ (k * _M)) & _MASK
    tail = length & 3
    if tail:
        hash_ ^= int.from_bytes(key[whole:], "little")
        hash_ = (hash_ * _M) & _MASK
    hash_ ^= hash_ >> 13
    hash_ = (hash_ * _M) & _MASK
    return hash_ ^ (hash_ >> 15)


def partition_of(key: bytes, partitions: int) -> int:
    """Returns the partition of `key` among `partitions`, from 0.

    Source: Kafka's `BuiltInPartitioner.partitionForKey`.
    """
    return (murmur2(key) & 0x7FFFFFFF) % partitions
