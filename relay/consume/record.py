"""A record as it was read, before its value is decoded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

from relay.kafka import headers as names
from relay.kafka.headers import Headers
from relay.postgres.connect import storable

__all__ = ["LONGEST_EVENT_ID", "Record"]

# A longer one would not fit a btree entry; such an event gets the hash of its id.
LONGEST_EVENT_ID = 255


@dataclass(frozen=True, slots=True)
class Record:
    """One event in a group.

    topic, partition, offset: where the event was first read, also when it is a replay.
    key: bytes of the key, empty when there is none. value: raw bytes, None for a null.
    attempts: attempts of all earlier rounds; 0 unless it is a replay.
    """

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes | None
    headers: Headers
    event_id: str
    event_type: str | None
    attempts: int = 0
    _by_name: dict[str, bytes | None] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self._by_name:
            object.__setattr__(self, "_by_name", dict(self.headers))

    @classmethod
    def read(
        cls,
        topic: str,
        partition: int,
        offset: int,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
    ) -> Record:
        """A record with its event's id and type taken from the headers.

        A copy under another major version has the id of its original, since a group handles one
        of the two. An id that is too long is kept as `sha256:<hex>`. Without a usable `ce_id` the
        id is `topic[partition]@offset` of the record, so that poison has one too.
        """
        found = dict(headers)
        event_id = names.string(found.get(names.ORIGINAL_ID) or found.get(names.EVENT_ID))
        if not event_id:
            event_id = f"{topic}[{partition}]@{offset}"
        event_type = names.string(found.get(names.EVENT_TYPE))
        return cls(
            topic, partition, offset, key or b"", value, headers, _kept(event_id), event_type,
            _by_name=found,
        )  # fmt: skip

    def header(self, name: str) -> str | None:
        """The last header called `name`; None when absent or not UTF-8."""
        return names.string(self._by_name.get(name))

    def as_replay(self, origin_topic: str) -> Record:
        """The event that a record of a retry topic carries, at its first place again.

        origin_topic: the topic that the retry topic belongs to. A record that lacks the origin's
        headers keeps its own place, which is after everything that waits.
        """
        partition = names.number(self.header(names.ORIGIN_PARTITION), names.MOST_PARTITION)
        offset = names.number(self.header(names.ORIGIN_OFFSET), names.MOST_OFFSET)
        known = partition is not None and offset is not None
        return replace(
            self,
            topic=origin_topic,
            partition=partition if known and partition is not None else self.partition,
            offset=offset if known and offset is not None else self.offset,
            event_id=_kept(self.header(names.EVENT) or self.event_id),
            attempts=names.number(self.header(names.ATTEMPT), names.MOST_ATTEMPT) or 0,
            headers=names.without_dlq(self.headers),
            _by_name={},
        )

    def columns(self, group: str) -> dict[str, Any]:
        """Parameters of the statements that park it or write its dead letter."""
        return {
            "group": group,
            "event_id": self.event_id,
            "event_type": self.event_type,
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "sequence": names.number(self.header(names.SEQUENCE), names.MOST_OFFSET),
            "key": self.key,
            "value": self.value,
            "header_names": [storable(name) for name, _ in self.headers],
            "header_values": [value for _, value in self.headers],
        }


def _kept(event_id: str) -> str:
    """The id that an event has in the inbox."""
    if len(event_id) <= LONGEST_EVENT_ID:
        return event_id
    return f"sha256:{hashlib.sha256(event_id.encode()).hexdigest()}"
