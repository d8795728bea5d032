"""`relay schemas register`: brings what was approved to the registry."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from relay.cli.schemas_input import database
from relay.cli.schemas_output import note
from relay.errors import ConfigurationInvalid, DatabaseUnavailable
from relay.schema.catalog import Catalog, SchemaVersion
from relay.settings import load_settings

__all__ = ["command"]

Decide = Callable[[SchemaVersion], SchemaVersion | str]


def command(
    without_review: Annotated[
        bool,
        typer.Option("--without-review", help="Ask no database; the domain files alone decide."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Register the catalog's schemas at the registry; doing it again changes nothing.

    Where a database is configured, only what was approved there.
    """
    from relay.schema.client.client import RegistryClient
    from relay.schema.client.register import register_catalog

    settings = load_settings(database_url="-", kafka_bootstrap_servers="-")
    catalog = Catalog.load(settings.schemas_dir)
    rows: list[dict[str, Any]] = []
    with (
        _review(asked=not without_review) as (decide, remark),
        RegistryClient(settings.schema_registry_url) as registry,
    ):
        for result in register_catalog(catalog, registry, decide):
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
                note(f"{version.path} differs from the approved text, which is what is registered")
            if not as_json:
                outcome = "registered" if result.new else "already there"
                print(f"{version.subject:60} v{version.version} id {result.schema_id} {outcome}")
    if remark:
        note(remark)
    refused = sum(row["problem"] is not None for row in rows)
    if as_json:
        print(json.dumps(rows))
    else:
        new = sum(bool(row["new"]) for row in rows)
        note(f"{new} registered, {len(rows) - new - refused} already there, {refused} refused")
    if refused:
        raise typer.Exit(1)


@contextmanager
def _review(*, asked: bool) -> Iterator[tuple[Decide, str | None]]:
    """What the database says of a version, or that it has no say."""
    from relay.schema.approvals.adopt import has_begun
    from relay.schema.approvals.registrable import registrable
    from relay.schema.approvals.store import decisions

    if not asked:
        yield _as_listed, "the review was not asked: the domain files alone decided"
        return
    try:
        settings = load_settings(kafka_bootstrap_servers="-")
    except ConfigurationInvalid:
        # All else was read before, so it is the database that is not set.
        yield _as_listed, "no database is configured: the domain files alone decided"
        return
    try:
        with database(settings) as connection:
            if not has_begun(connection):
                yield _as_listed, "the review has not begun: the domain files alone decided"
                return
            yield lambda v: registrable(v, decisions(connection, v.event_type)), None
    except DatabaseUnavailable as error:
        raise DatabaseUnavailable(
            f"what was approved is not known: {error} "
            "To go by the domain files alone, give --without-review"
        ) from error


def _as_listed(version: SchemaVersion) -> SchemaVersion:
    return version
