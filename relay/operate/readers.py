"""Who reads which version of an event type, with lag from the broker."""

from __future__ import annotations

from typing import Any

import psycopg

from relay.kafka.topics import open_admin
from relay.operate.lag import group_lags
from relay.schema.approvals.affected import Reading, Text, affected, decoded, schema_digest
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
) -> list[Reading]:
    """The groups of an event type, what each decoded last and when, and its lag on the topic.

    with_lag: whether to read it from the broker. Groups that the catalog does not list are there
    when they have decoded the event type; a topic that is not there yet has no lag.
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
