"""`relay schemas check`: may these schemas be merged? For a CI job and for reviewers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from relay.cli.schemas_diff import Format
from relay.cli.schemas_input import database
from relay.cli.schemas_output import note
from relay.errors import ConfigurationInvalid
from relay.schema.catalog import Catalog
from relay.settings import Settings, load_settings

if TYPE_CHECKING:
    from relay.schema.approvals.affected import Reading
    from relay.schema.checks.base import Base
    from relay.schema.checks.conversion import Converted
    from relay.schema.checks.plan import Task
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
        bool, typer.Option("--affected", help="Ask database and broker which groups read what.")
    ] = False,
    accept_level: Annotated[
        list[str] | None,
        typer.Option(metavar="DOMAIN", help="Its compatibility level may be loosened."),
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="For the terminal, a pull request, or a program.")
    ] = Format.TEXT,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Compare the schemas folder with what was there before; exit 1 if something must not be.

    Needs neither network, database nor broker, unless they are asked for.
    """
    from relay.schema.checks.check import check
    from relay.schema.checks.levels import levels_changed
    from relay.schema.checks.plan import plan
    from relay.schema.checks.report import Report

    if against is not None and against_registry:
        raise ConfigurationInvalid("Give one of --against and --against-registry")
    settings = load_settings() if affected else _files_alone()
    catalog = Catalog.load(settings.schemas_dir)
    if against_registry:
        base, catalogs = _registry(settings, catalog, event_types), [catalog]
    else:
        base, former = _revision(settings, catalog, "HEAD" if against is None else against)
        catalogs = [catalog, *former]
    names = _names(catalog, base, event_types)
    accepted = _domains(catalog, accept_level or ())
    checked = []
    for task in plan(catalog, base, names):
        with_what = ", ".join(earlier.name for earlier in task.earlier)
        note(f"{task.name}: {task.status}" + (f", comparing with {with_what}" if with_what else ""))
        checked.append(check(task))
    readers = _readers(settings, catalogs, [one.task for one in checked]) if affected else None
    levels = tuple(levels_changed(catalog, base))
    converters = tuple(_converters(catalog, names))
    report = Report(base.name, levels, tuple(checked), readers, accepted, converters)
    _print(report, Format.JSON if as_json else form)
    if not report.passed:
        raise typer.Exit(1)


def _files_alone() -> Settings:
    return load_settings(database_url="-", kafka_bootstrap_servers="-")


def _revision(settings: Settings, catalog: Catalog, name: str) -> tuple[Base, list[Catalog]]:
    from relay.schema.checks.base import Base, base_of_catalog
    from relay.schema.checks.revision import catalog_of, find_revision, former_place

    revision = find_revision(settings.schemas_dir, name)
    with catalog_of(revision) as former:
        if former is not None:
            return base_of_catalog(former, str(revision)), [former]
    moved = former_place(revision, catalog.domains)
    if moved is None:
        note(f"{revision} has no schemas folder: everything is new")
        return Base(str(revision), {}), []
    note(f"{revision} has the schemas in {moved.prefix or '.'}")
    with catalog_of(moved) as former:
        assert former is not None
        return base_of_catalog(former, str(revision)), [former]


def _registry(settings: Settings, catalog: Catalog, wanted: Sequence[str] | None) -> Base:
    from relay.schema.checks.base import base_of_registry
    from relay.schema.client.client import RegistryClient

    names = [name for name in catalog.event_types if not wanted or name in wanted]
    with RegistryClient(settings.schema_registry_url) as registry:
        return base_of_registry(registry, catalog, names)


def _names(catalog: Catalog, base: Base, wanted: Sequence[str] | None) -> list[str]:
    """The event types to look at. One that only the base has was deleted."""
    known = list(dict.fromkeys([*catalog.event_types, *base.event_types]))
    for name in wanted or ():
        if name not in known:
            raise ConfigurationInvalid(
                f"event type {name!r} is neither in the catalog {catalog.folder} nor in "
                f"{base.name}. Correct the name"
            )
    return list(dict.fromkeys(wanted)) if wanted else known


def _converters(catalog: Catalog, names: Sequence[str]) -> Iterator[Converted]:
    """The verdicts on the converters of the event types and of those that replace them.

    All of them, changed or not: another version of either side can break one.
    """
    from relay.schema.checks.conversion import check_converter

    for event_type in catalog.event_types.values():
        if event_type.replaces is not None and {event_type.name, event_type.replaces} & set(names):
            note(f"{event_type.name}: converting from {event_type.replaces} and back")
            yield check_converter(catalog, event_type)


def _domains(catalog: Catalog, wanted: Iterable[str]) -> frozenset[str]:
    for name in wanted:
        if name not in catalog.domains:
            raise ConfigurationInvalid(
                f"--accept-level: domain {name!r} is not in the catalog {catalog.folder}. "
                "Correct the name"
            )
    return frozenset(wanted)


def _readers(
    settings: Settings, catalogs: Sequence[Catalog], tasks: Iterable[Task]
) -> Mapping[str, Sequence[Reading]]:
    """Who reads the event types. catalogs: the first that has one tells its topic and groups."""
    from relay.operate.readers import read_readers

    names = dict.fromkeys(task.event_type for task in tasks)
    if not names:
        return {}
    with database(settings) as connection:
        return {
            name: read_readers(settings, connection, catalog, name)
            for name in names
            for catalog in [next(one for one in catalogs if name in one.event_types)]
        }


def _print(report: Report, form: Format) -> None:
    from relay.schema.checks import report_render

    if form is Format.JSON:
        print(json.dumps(report_render.as_json(report), ensure_ascii=False))
    elif form is Format.MARKDOWN:
        print(report_render.as_markdown(report), end="")
    else:
        from rich.console import Console

        report_render.print_text(Console(highlight=False), report)
