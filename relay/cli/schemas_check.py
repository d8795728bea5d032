"""`relay schemas check`: may these schemas be merged? For CI jobs and reviewers."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from relay.cli.schemas_diff import Format, FormatOption, JsonOption
from relay.cli.schemas_input import database, files_only
from relay.cli.schemas_output import note
from relay.errors import ConfigurationInvalid
from relay.schema.catalog import Catalog
from relay.settings import Settings, load_settings

if TYPE_CHECKING:
    from relay.schema.approvals.affected import GroupReading
    from relay.schema.checks.base import Base
    from relay.schema.checks.check import CheckedVersion
    from relay.schema.checks.conversion import Converted
    from relay.schema.checks.report import Report

__all__ = ["command"]


def command(
    event_types: Annotated[
        list[str] | None,
        typer.Argument(metavar="[EVENT_TYPE]...", help="Without any, the whole catalog."),
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="A git revision to compare with; HEAD by default.")
    ] = None,
    against_registry: Annotated[
        bool, typer.Option("--against-registry", help="Compare with what is registered.")
    ] = False,
    affected: Annotated[
        bool, typer.Option("--affected", help="Show who reads what; needs database and broker.")
    ] = False,
    accept_level: Annotated[
        list[str] | None,
        typer.Option(metavar="DOMAIN", help="Its compatibility level may be loosened."),
    ] = None,
    form: FormatOption = Format.TEXT,
    as_json: JsonOption = False,
) -> None:
    """Compare the schemas folder with an earlier state; exit 1 if it must not be merged.

    Needs no network, database or broker, unless an option requires them.
    """
    from relay.schema.checks.levels import levels_changed
    from relay.schema.checks.report import Report

    if against is not None and against_registry:
        raise ConfigurationInvalid("Give one of --against and --against-registry")
    settings = load_settings() if affected else files_only()
    catalog = Catalog.load(settings.schemas_dir)
    former = None
    if against_registry:
        base = _registry(settings, catalog, event_types)
    else:
        base, former = _revision(settings, catalog, "HEAD" if against is None else against)
    names = _names(catalog, base, event_types)
    for domain in accept_level or ():
        if domain not in catalog.domains:
            raise ConfigurationInvalid(
                f"--accept-level: domain {domain!r} is not in the catalog {catalog.folder}. "
                "Correct the name"
            )
    checked = tuple(_checked(catalog, base, names))
    # The first catalog that has an event type determines its topic and groups.
    catalogs = [one for one in (catalog, former) if one is not None]
    readers = _readers(settings, catalogs, checked) if affected else None
    levels = levels_changed(catalog, base, accept_level or ())
    report = Report(base.name, levels, checked, readers, tuple(_converters(catalog, names)))
    _print(report, Format.JSON if as_json else form)
    if not report.passed:
        raise typer.Exit(1)


def _revision(settings: Settings, catalog: Catalog, name: str) -> tuple[Base, Catalog | None]:
    from relay.schema.checks.base import Base, base_of_catalog
    from relay.schema.checks.revision import catalog_of, find_revision, former_place

    revision = find_revision(settings.schemas_dir, name)
    former = catalog_of(revision)
    if former is None and (moved := former_place(revision, catalog.domains)) is not None:
        note(f"{revision} has the schemas in {moved.prefix or '.'}")
        former = catalog_of(moved)
    if former is None:
        note(f"{revision} has no schemas folder: everything is new")
        return Base(str(revision), {}), None
    return base_of_catalog(former, str(revision)), former


def _registry(settings: Settings, catalog: Catalog, wanted: Sequence[str] | None) -> Base:
    from relay.schema.checks.base import base_of_registry
    from relay.schema.client.client import RegistryClient

    names = [name for name in catalog.event_types if not wanted or name in wanted]
    with RegistryClient(settings.schema_registry_url) as registry:
        return base_of_registry(registry, catalog, names)


def _names(catalog: Catalog, base: Base, wanted: Sequence[str] | None) -> list[str]:
    """The event types to check. One that only the base has was deleted."""
    known = dict.fromkeys([*catalog.event_types, *base.event_types])
    for name in wanted or ():
        if name not in known:
            raise ConfigurationInvalid(
                f"event type {name!r} is neither in the catalog {catalog.folder} nor in "
                f"{base.name}. Correct the name"
            )
    return list(dict.fromkeys(wanted or known))


def _checked(catalog: Catalog, base: Base, names: Sequence[str]) -> Iterator[CheckedVersion]:
    from relay.schema.checks.check import check
    from relay.schema.checks.plan import plan

    for task in plan(catalog, base, names):
        earlier = ", ".join(earlier.name for earlier in task.earlier)
        note(f"{task.name}: {task.status}" + (f", comparing with {earlier}" if earlier else ""))
        yield check(task)


def _converters(catalog: Catalog, names: Collection[str]) -> Iterator[Converted]:
    """The verdicts on the converters of the event types and of those that replace them.

    All of them, changed or not: another version of either side can break one.
    """
    from relay.schema.checks.conversion import check_converter

    for event_type in catalog.event_types.values():
        if event_type.replaces is not None and {event_type.name, event_type.replaces} & set(names):
            note(f"{event_type.name}: converting from {event_type.replaces} and back")
            yield check_converter(catalog, event_type)


def _readers(
    settings: Settings, catalogs: Sequence[Catalog], checked: Sequence[CheckedVersion]
) -> Mapping[str, Sequence[GroupReading]]:
    """Who reads the event types."""
    from relay.operate.readers import read_readers

    names = dict.fromkeys(one.task.event_type for one in checked)
    if not names:
        return {}
    with database(settings) as connection:
        return {
            name: read_readers(settings, connection, catalog, name)
            for name in names
            for catalog in [next(one for one in catalogs if name in one.event_types)]
        }


def _print(report: Report, form: Format) -> None:
    from relay.schema.checks.report import as_json, as_markdown, print_text

    if form is Format.JSON:
        print(json.dumps(as_json(report), ensure_ascii=False))
    elif form is Format.MARKDOWN:
        print(as_markdown(report), end="")
    else:
        from rich.console import Console

        print_text(Console(highlight=False), report)
