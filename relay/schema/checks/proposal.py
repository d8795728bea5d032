"""The check of one version under review, against the versions that were in use."""

from __future__ import annotations

from collections.abc import Sequence

from relay.schema.approvals.store import Decision
from relay.schema.catalog import Catalog, SchemaVersion
from relay.schema.checks.base import Earlier, version_name
from relay.schema.checks.check import check
from relay.schema.checks.conversion import check_converter
from relay.schema.checks.plan import Status, Task
from relay.schema.checks.report import Report
from relay.schema.compatibility.levels import Level

__all__ = ["check_proposal"]


def check_proposal(catalog: Catalog, decided: Sequence[Decision], wanted: SchemaVersion) -> Report:
    """Compares a version with the decided ones before it, as `relay schemas check` does.

    decided: the versions of its event type in the database. The converters of its major versions
    are checked as well. Raises CatalogInvalid.
    """
    event_type = catalog.event_type(wanted.event_type)
    level = catalog.domains[event_type.domain].compatibility
    earlier = [
        Earlier(version_name(one.event_type, one.version), one.version, one.avsc)
        for one in decided
        if one.has_been_in_use and one.version < wanted.version
    ]
    if not Level(level).transitive:
        earlier = earlier[-1:]
    name = version_name(event_type.name, wanted.version)
    task = Task(
        event_type.name, name, Status.NEW, level, wanted.avsc, None, tuple(earlier),
        event_type.groups,
    )  # fmt: skip
    converters = [
        check_converter(catalog, other)
        for other in catalog.event_types.values()
        if other.replaces is not None and event_type.name in (other.name, other.replaces)
    ]
    return Report("the versions in use", (), (check(task),), None, tuple(converters))
