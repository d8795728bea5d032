"""The position record: what one transaction of a shard published, and the position after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from relay.capture.position import Position, Step
from relay.errors import PositionRefused
from relay.postgres.identity import Identity
from relay.publish.holds import Hold

__all__ = ["Ends", "PositionRecord"]

# topic -> partition -> an offset at or below the partition's end before the batch
Ends = dict[str, dict[int, int]]

_VERSION = 1


@dataclass(frozen=True, slots=True)
class PositionRecord:
    """One record of the positions topic.

    number: counts the shard's transactions. shards, partitions: pinned counts, partitions by topic.
    position: where reading goes on. steps: the ranges whose rows the transaction produced, less
    `not_produced`, plus `released` (seq of held events that were published after all).
    ends: where to begin to look for the batch's records in the topics.
    """

    number: int
    shard: int
    shards: int
    identity: Identity
    position: Position
    steps: tuple[Step, ...] = ()
    not_produced: tuple[Hold, ...] = ()
    released: tuple[int, ...] = ()
    ends: Ends = field(default_factory=dict)
    partitions: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The record as plain JSON values."""
        return {
            "version": _VERSION,
            "number": self.number,
            "shard": self.shard,
            "shards": self.shards,
            "identity": self.identity.to_json(),
            "position": self.position.to_json(),
            "steps": [step.to_json() for step in self.steps],
            "notProduced": [hold.to_json() for hold in self.not_produced],
            "released": list(self.released),
            "ends": {
                topic: {str(partition): offset for partition, offset in ends.items()}
                for topic, ends in self.ends.items()
            },
            "partitions": self.partitions,
        }

    def to_bytes(self) -> bytes:
        """The record as it is written to the topic."""
        return orjson.dumps(self.to_json())

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> PositionRecord:
        """Reads what to_json wrote.

        Raises PositionRefused for a record of another version or form: guessing a position would
        lose or double events.
        """
        try:
            if value["version"] != _VERSION:
                raise PositionRefused(
                    f"the position record has version {value['version']}, this relay reads "
                    f"version {_VERSION}: run the relay version that wrote it, or `relay recover`"
                )
            return cls(
                number=value["number"],
                shard=value["shard"],
                shards=value["shards"],
                identity=Identity(**value["identity"]),
                position=Position.from_json(value["position"]),
                steps=tuple(map(Step.from_json, value["steps"])),
                not_produced=tuple(map(Hold.from_json, value["notProduced"])),
                released=tuple(value["released"]),
                ends={
                    topic: {int(partition): offset for partition, offset in ends.items()}
                    for topic, ends in value["ends"].items()
                },
                partitions=value["partitions"],
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise PositionRefused(
                f"a position record can't be read ({error!r}): it was not written by this relay. "
                "Look at the positions topic, then run `relay recover`"
            ) from error

    @classmethod
    def from_bytes(cls, value: bytes) -> PositionRecord:
        """Reads what to_bytes wrote; raises PositionRefused."""
        try:
            decoded = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise PositionRefused(
                f"a position record is not JSON ({error}): it was not written by this relay. "
                "Look at the positions topic, then run `relay recover`"
            ) from error
        return cls.from_json(decoded)
