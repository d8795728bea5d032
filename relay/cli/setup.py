"""`relay migrate` and `relay recover`: prepare and repair database, topics and positions."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from relay.kafka import topics
from relay.postgres.connect import connect
from relay.publish import pinned
from relay.schema.catalog import Catalog
from relay.settings import load_settings

__all__ = ["migrate", "recover"]


def migrate(
    partitions: Annotated[
        Literal["none", "monthly"],
        typer.Option(
            help="monthly: partition events and deliveries by month (PostgreSQL 17 or newer). "
            "Decided when the tables are created; later runs keep it."
        ),
    ] = "none",
) -> None:
    """Create or update the tables, create the topics, and pin shards and partitions.

    Running it again changes nothing. Topics are created for every domain of the schemas folder and
    for the retries and dead letters of each of its consumer groups. The first time, the schema
    versions that the schemas folder lists as in use are adopted; later ones need a review.
    """
    from relay.postgres import migrate
    from relay.schema.approvals.adopt import adopt_catalog
    from relay.schema.approvals.versions_in_force import find_problems

    settings = load_settings()
    catalog = Catalog.load(settings.schemas_dir)
    migrate.migrate(settings.database_url, monthly=partitions == "monthly")
    admin = topics.open_admin(settings)
    with connect(settings.database_url, application_name="relay migrate") as connection:
        created = pinned.pin(connection, admin, settings, catalog.topics)
        adopted = adopt_catalog(connection, catalog, by="relay migrate")
        problems = find_problems(connection, catalog)
    created += topics.create(admin, catalog.all_topics(), replication=settings.replication_factor)
    typer.echo(
        f"tables are up to date; {len(created)} topics created, {adopted} schema versions adopted",
        err=True,
    )
    for problem in problems:
        typer.echo(f"relay: {problem}", err=True)


def recover(
    yes: Annotated[bool, typer.Option("--yes", help="Act without asking.")] = False,
) -> None:
    """Report what keeps the relay from continuing, ask, then repair it.

    For a database that was restored, copied or promoted, another Kafka cluster, or lost positions.
    Stop all workers first. What is published already is found in the topics and not published
    again; the next `relay run` publishes the rest.
    """
    from relay.publish.takeover import recover

    settings = load_settings()
    with connect(settings.database_url, application_name="relay recover") as connection:
        found = recover.inspect(settings, connection)
        for line in found.notes:
            typer.echo(f"- {line}")
        if found.sound:
            typer.echo("nothing to recover: database, Kafka and positions belong together")
            return
        for line in found.words:
            typer.echo(f"- {line}")
        if not yes and not typer.confirm("Go ahead?"):
            raise typer.Exit(1)
        recover.recover(settings, connection, found)
    typer.echo("done; start the workers with `relay run`, then check with `relay verify`")
