"""What a group decoded, kept until it is written."""

from __future__ import annotations

from relay.consume.reads import Reads

SCHEMA = {"type": "record", "name": "A", "fields": []}


def test_what_was_noted_is_taken_once() -> None:
    reads = Reads()
    for _ in range(1000):
        reads.note("order.paid", "events.orders", 7, SCHEMA)
    assert reads.take() == {("order.paid", "events.orders", 7): SCHEMA}
    assert reads.take() == {}


def test_what_could_not_be_written_comes_again_with_what_was_noted_since() -> None:
    reads = Reads()
    reads.note("order.paid", "events.orders", 7, SCHEMA)
    taken = reads.take()
    reads.note("order.paid", "events.orders", 8, SCHEMA)
    reads.give_back(taken)
    assert [schema_id for _, _, schema_id in sorted(reads.take())] == [7, 8]
