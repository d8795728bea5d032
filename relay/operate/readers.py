"""Which consumer groups read which version of an event type, and how far they lag."""

from __future__ import annotations

from typing import Any

import psycopg

from relay.kafka.topics import open_admin
from relay.operate.lag import group_lags
from relay.schema.approvals.affected import GroupReading, Text, affected, decoded, schema_digest
from relay.schema.approvals.store import decisions
from relay.schema.catalog import Catalog
from relay.settings import Settings

__all__ = ["read_readers"]


def read_readers(
    settings: Settings,
    connection: psycopg.Connection[Any],
    catalog: Catalog,
    event_type: str,
    *,
    with_lag: bool = True,
) -> list[GroupReading]:
    """Returns the groups of an event type, what each decoded last and when, and its lag.

    with_lag: read the lag on the topic from the broker. Groups that the catalog does not list are
    included if they have decoded the event type. A topic that does not exist yet has no lag.
    Raises SchemaUnknown, BrokerUnavailable, psycopg.Error.
    """
    found = catalog.event_type(event_type)
    known = decisions(connection, event_type)
    texts = [Text(each.version, each.fingerprint, schema_digest(each.avsc)) for each in known]
    records = decoded(connection, event_type)
    lags = None
    if with_lag:
        groups = sorted({*found.groups, *(record.group_name for record in records)})
        lags = group_lags(
            settings, open_admin(settings), {group: [found.topic] for group in groups}
        )
    return affected(found.groups, texts, records, lags)
