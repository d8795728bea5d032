"""`relay migrate`: the database's tables, the topics, and what is pinned."""

from __future__ import annotations

import sys

from relay.kafka import topics
from relay.postgres.connect import connect
from relay.postgres.migrate import migrate
from relay.publish import pinned
from relay.schema.approvals.adopt import adopt_catalog
from relay.schema.approvals.standing import not_in_use
from relay.schema.catalog import Catalog
from relay.settings import load_settings

__all__ = ["command"]


def command() -> None:
    """Create or update the tables, create the topics, and pin shards and partitions.

    Doing it again changes nothing. Topics are created for every domain of the schemas folder and
    for the retries and dead letters of each of its consumer groups. The first time, the schema
    versions that the schemas folder lists as in use are adopted; later ones need a review.
    """
    settings = load_settings()
    catalog = Catalog.load(settings.schemas_dir)
    migrate(settings.database_url)
    admin = topics.open_admin(settings)
    with connect(settings.database_url, application_name="relay migrate") as connection:
        created = pinned.pin(connection, admin, settings, catalog.topics)
        adopted = adopt_catalog(connection, catalog, by="relay migrate")
        problems = not_in_use(connection, catalog)
    created += topics.create(admin, catalog.all_topics(), replication=settings.replication_factor)
    print(
        f"tables are up to date; {len(created)} topics created, {adopted} schema versions adopted",
        file=sys.stderr,
    )
    for problem in problems:
        print(f"relay: {problem}", file=sys.stderr)
