"""Which partitions a group's processes have, to see which of them were left by one that died."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from relay.consume.positions import place_name
from relay.consume.session import Session, Stopped
from relay.kafka.offsets import Partition
from relay.postgres.sqlfile import load

__all__ = ["Assigned"]


class Assigned:
    """The partitions of this process, in the database; belongs to the session's thread."""

    def __init__(self, group: str, session: Session) -> None:
        self._group = group
        self._session = session
        # A process id may come again, as in a container.
        self._member = uuid.uuid4().hex

    def take(self, places: Collection[Partition]) -> set[Partition]:
        """Records that this process owns `places`. Returns those whose previous owner did not
        release them, because it died or was cut off. Raises Stopped."""
        rows = self._session.run(
            lambda connection: connection.execute(
                load(__package__, "take_places.sql"), self._given(places)
            ).fetchall()
        )
        names = {name for (name,) in rows}
        return {place for place in places if place_name(place) in names}

    def give_up(self, places: Collection[Partition]) -> None:
        """They are left in an orderly way: what ran of them has ended. Not noted while the database
        is away, which makes the next process careful for nothing."""
        with suppress(Stopped):
            self._session.run(
                lambda connection: connection.execute(
                    load(__package__, "give_up_places.sql"), self._given(places)
                ),
                wanted=lambda: False,
            )

    def _given(self, places: Collection[Partition]) -> dict[str, Any]:
        return {
            "group": self._group,
            "places": [place_name(place) for place in places],
            "member": self._member,
        }
