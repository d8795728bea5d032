"""`relay schemas register`: brings what was approved to the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import psycopg
import typer

from relay.cli.output import JsonOption, print_json
from relay.cli.schemas_input import database, files_only
from relay.cli.schemas_output import note
from relay.errors import ConfigurationInvalid, DatabaseUnavailable, in_a_line
from relay.schema.approvals.registration import register_catalog
from relay.schema.approvals.store import has_begun
from relay.schema.approvals.versions_in_force import versions_in_force
from relay.schema.catalog import Catalog, SchemaVersion
from relay.settings import load_settings

__all__ = ["command"]

Approved = Callable[[SchemaVersion], SchemaVersion]


def command(
    without_review: Annotated[
        bool,
        typer.Option(
            "--without-review", help="Register what the domain files list; use no database."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Register the catalog's schemas at the registry; running it again changes nothing.

    If a database is configured, only what was approved there.
    """
    from relay.schema.client.client import RegistryClient

    settings = files_only()
    catalog = Catalog.load(settings.schemas_dir)
    rows = []
    with (
        _review(catalog, wanted=not without_review) as (approved, remark),
        RegistryClient(settings.schema_registry_url) as registry,
    ):
        for result in register_catalog(catalog, registry, approved):
            version = result.version
            rows.append(
                {
                    "subject": version.subject,
                    "eventType": version.event_type,
                    "version": version.version,
                    "id": result.schema_id,
                    "new": result.new,
                    "problem": result.problem,
                }
            )
            if result.problem is not None:
                typer.echo(f"relay: {version.path} is refused: {result.problem}", err=True)
                continue
            if version.text != catalog.version(version.event_type, version.version).text:
                note(f"{version.path} differs from the approved text, which is registered")
            if not as_json:
                outcome = "registered" if result.new else "already there"
                typer.echo(
                    f"{version.subject:60} v{version.version} id {result.schema_id} {outcome}"
                )
    if remark:
        note(remark)
    refused = sum(row["problem"] is not None for row in rows)
    if as_json:
        print_json(rows)
    else:
        new = sum(bool(row["new"]) for row in rows)
        note(f"{new} registered, {len(rows) - new - refused} already there, {refused} refused")
    if refused:
        raise typer.Exit(1)


@contextmanager
def _review(catalog: Catalog, *, wanted: bool) -> Iterator[tuple[Approved, str | None]]:
    """Yields what decides about a version, and a remark if that is not the database."""
    if not wanted:
        yield _as_listed, "without a review: only the domain files decided"
        return
    try:
        settings = load_settings(kafka_bootstrap_servers="-")
    except ConfigurationInvalid:
        # All other settings were read before, so it is the database that is not set.
        yield _as_listed, "no database is configured: only the domain files decided"
        return
    try:
        with database(settings) as connection:
            if not has_begun(connection):
                yield _as_listed, "the review has not begun: only the domain files decided"
                return

            def approved(version: SchemaVersion) -> SchemaVersion:
                listed = catalog.event_type(version.event_type)
                return versions_in_force(connection, listed).to_register(version)

            yield approved, None
    except (DatabaseUnavailable, psycopg.OperationalError) as error:
        raise DatabaseUnavailable(
            f"the database can't be asked what was approved: {in_a_line(error)}. "
            "To register what the domain files list, give --without-review"
        ) from error


def _as_listed(version: SchemaVersion) -> SchemaVersion:
    return version
