"""Logs the events of relay.observe."""

from __future__ import annotations

import logging

from relay import observe
from relay.observe import Event

__all__ = ["log_event"]

log = logging.getLogger("relay")


def log_event(event: Event) -> None:  # noqa: PLR0912, one case an event
    """Logs one event; at level WARNING if it needs attention."""
    match event:
        case observe.ShardsGained(shards):
            if shards:
                log.info("gained shards %s", list(shards))
        case observe.ShardsLost(shards):
            if shards:
                log.info("handing over shards %s", list(shards))
        case observe.ShardTakenOver(shard, _, number, seconds):
            log.info("shard %d: taken over at transaction %d in %.2f s", shard, number, seconds)
        case observe.ShardInDoubt(shard, reason, server):
            # Outages are logged separately.
            level = logging.DEBUG if server else logging.WARNING
            log.log(level, "shard %d is in doubt and retaken: %s", shard, reason)
        case observe.FlagsRedone(shard, count):
            log.info("shard %d: %d flags of the last transaction are redone", shard, count)
        case observe.EventFailed(event_id, _, _, attempt, error):
            log.info("event %s failed, attempt %d: %s", event_id, attempt, error)
        case observe.EventDead(event_id, type_, aggregate_id, attempts, error, blocks):
            log.warning(
                "event %s of %s %s is dead after %d attempts, %s: %s",
                event_id, type_, aggregate_id, attempts,
                "later events of it wait" if blocks else "later events of it go on",
                error,
            )  # fmt: skip
        case observe.EventDiscarded(event_id, type_, aggregate_id, reason):
            log.warning(
                "event %s of %s %s is discarded, later events of it go on: %s",
                event_id, type_, aggregate_id, reason,
            )  # fmt: skip
        case observe.HandlingFailed(_, event_id, attempt, _, error):
            log.info("attempt %d of event %s failed: %s", attempt, event_id, error)
        case observe.EventParked(_, event_id, attempts, error):
            log.info("event %s is parked after %d attempts: %s", event_id, attempts, error)
        case observe.DeadLetterWritten(_, event_id, attempts, error):
            log.warning("event %s is dead after %d attempts: %s", event_id, attempts, error)
        case observe.ServerUnavailable(server, reason, 0.0):
            log.warning("%s is unavailable, waiting for it: %s", server, reason)
        case observe.ServerUnavailable(server, reason, seconds):
            log.warning("%s is still unavailable after %.0f s: %s", server, seconds, reason)
        case observe.ServerAvailable(server, seconds):
            log.warning("%s is available again after %.1f s", server, seconds)
        case _:
            log.debug("%s", event)
