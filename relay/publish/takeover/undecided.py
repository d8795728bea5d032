"""Waits for the end of the last owner's transactions in the partitions that it wrote to."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from confluent_kafka.admin import AdminClient

from relay.errors import BrokerUnavailable
from relay.kafka.offsets import Partition, read_ends

__all__ = ["await_decided"]

_PAUSE_S: Final = 0.02
# Longer than another shard's transaction stays open after its worker has died: the transaction's
# timeout and the broker's next look for expired ones.
_PATIENCE_S: Final = 25.0


def await_decided(
    admin: AdminClient, ends: Mapping[Partition, int], patience_s: float = _PATIENCE_S
) -> None:
    """Waits until all that lies in partitions below `ends` is committed or aborted (H55).

    The producer has ended its own transactions before, but a broker that crashes may lose the
    marker that ends one in a partition (KAFKA-20734). The next commit there would then commit the
    former transaction's records too, and the next abort would undo them.
    Raises BrokerUnavailable when a transaction does not end.
    """
    deadline = time.monotonic() + patience_s
    wanted = dict(ends)
    while wanted:
        stable = read_ends(admin, wanted)
        wanted = {place: end for place, end in wanted.items() if stable[place] < end}
        if wanted and time.monotonic() > deadline:
            hanging = "; ".join(
                f"{topic}[{partition}] has a transaction that does not end: its records from "
                f"offset {stable[topic, partition]} to {end} are neither committed nor aborted"
                for (topic, partition), end in sorted(wanted.items())
            )
            raise BrokerUnavailable(
                f"{hanging}. A broker that crashed may have lost the marker. Find the transaction "
                "with `kafka-transactions.sh find-hanging` and abort it with "
                "`kafka-transactions.sh abort`; the shard goes on then, and publishes what was "
                "lost with it again"
            )
        if wanted:
            time.sleep(_PAUSE_S)
