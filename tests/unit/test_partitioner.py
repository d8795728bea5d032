"""A key has the partition that Java clients compute."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.kafka.partitioner import murmur2, partition_of

# From Kafka's own tests of Utils.murmur2, as Java's signed 32-bit numbers.
KAFKAS_OWN = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "hash_"), KAFKAS_OWN.items())
def test_the_hash_is_kafkas(key: bytes, hash_: int) -> None:
    (signed,) = struct.unpack("i", struct.pack("I", murmur2(key)))
    assert signed == hash_


@given(st.binary(max_size=64), st.integers(1, 10_000))
def test_a_key_belongs_to_one_of_the_partitions(key: bytes, partitions: int) -> None:
    assert 0 <= murmur2(key) < 2**32
    assert 0 <= partition_of(key, partitions) < partitions


@pytest.mark.parametrize(("key", "hash_"), KAFKAS_OWN.items())
def test_the_sign_is_removed_before_the_remainder_is_computed(key: bytes, hash_: int) -> None:
    assert partition_of(key, 7) == (hash_ & 0x7FFFFFFF) % 7
