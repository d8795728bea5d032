"""Checks that everything the relay needs is there and as it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import psycopg

from relay.errors import CatalogInvalid, RelayError
from relay.kafka import topics
from relay.operate.lag import read_shards
from relay.operate.outbox_checks import check_outbox
from relay.postgres.connect import connect
from relay.postgres.identity import read_identity
from relay.postgres.migrate import wanted_revision
from relay.publish import pinned
from relay.schema.approvals.adopt import has_begun
from relay.schema.approvals.registrable import registrable
from relay.schema.approvals.standing import not_in_use
from relay.schema.approvals.store import decisions
from relay.schema.catalog import Catalog, SchemaVersion
from relay.schema.client.client import RegistryClient
from relay.schema.majors.converters import conversion
from relay.settings import Settings

__all__ = ["CheckResult", "examine"]

Connection = psycopg.Connection[Any]
Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One thing that was checked. message: what was found, and what to do where it is not ok."""

    check: str
    level: Level
    message: str

    def to_json(self) -> dict[str, str]:
        """As `relay doctor --json` has it."""
        return asdict(self)


def examine(settings: Settings) -> Iterator[CheckResult]:
    """All checks; one that can't be made because of an earlier one is left out."""
    catalog, checks = _guarded("catalog", lambda: _catalog(settings))
    yield from checks
    if catalog is not None:
        yield from _converters(catalog)
    connection, checks = _guarded("database", lambda: _database(settings))
    yield from checks
    cluster, checks = _guarded("kafka", lambda: _kafka(settings))
    yield from checks
    active: list[SchemaVersion] = []
    try:
        if catalog is not None:
            active = _active(connection, catalog)
        if connection is not None:
            yield from _migrations(connection)
            yield from _outbox(connection)
            if catalog is not None:
                yield from _review(connection, catalog)
            if cluster is not None:
                yield from _pins(connection, settings)
            yield from _shards(connection, settings)
    finally:
        if connection is not None:
            connection.close()
    if cluster is not None and catalog is not None:
        yield from _topics(settings, cluster, catalog)
    if catalog is not None:
        yield from _registry(settings, active)


def _guarded(
    name: str, look: Callable[[], tuple[Any, CheckResult]]
) -> tuple[Any | None, list[CheckResult]]:
    """What `look` found and its check; None and a failed check when it raises RelayError."""
    try:
        found, check = look()
    except RelayError as error:
        return None, [CheckResult(name, "fail", str(error))]
    return found, [check]


def _catalog(settings: Settings) -> tuple[Catalog, CheckResult]:
    catalog = Catalog.load(settings.schemas_dir)
    return catalog, CheckResult(
        "catalog",
        "ok",
        f"{len(catalog.domains)} domains, {len(catalog.event_types)} event types, "
        f"{len(catalog.groups)} consumer groups in {settings.schemas_dir}",
    )


def _converters(catalog: Catalog) -> Iterator[CheckResult]:
    """Whether every converter between major versions can be run; nothing where there are none."""
    majors = [e for e in catalog.event_types.values() if e.replaces is not None]
    problems = []
    for event_type in majors:
        assert event_type.replaces is not None
        try:
            conversion(catalog, event_type.replaces, event_type.name)
            conversion(catalog, event_type.name, event_type.replaces)
        except CatalogInvalid as error:
            problems.append(f"{error}. Until then events of {event_type.replaces} are held")
    if problems:
        yield CheckResult("converters", "fail", "; ".join(problems))
    elif majors:
        yield CheckResult("converters", "ok", f"{len(majors)} between major versions can be run")


def _database(settings: Settings) -> tuple[Connection, CheckResult]:
    connection = connect(settings.database_url, application_name="relay doctor")
    version = connection.info.server_version // 10_000
    return connection, CheckResult(
        "database",
        "fail" if version < 13 else "ok",
        f"PostgreSQL {version}, a primary: {read_identity(connection)}"
        if version >= 13
        else f"PostgreSQL {version} is too old: 13 or newer is needed",
    )


def _kafka(settings: Settings) -> tuple[topics.Cluster, CheckResult]:
    cluster = topics.describe(topics.open_admin(settings))
    return cluster, CheckResult(
        "kafka", "ok", f"cluster {cluster.identifier}, {cluster.brokers} brokers are up"
    )


def _migrations(connection: Connection) -> Iterator[CheckResult]:
    wanted = wanted_revision()
    try:
        found = [row[0] for row in connection.execute(_VERSIONS)]
    except psycopg.errors.UndefinedTable:
        found = []
    if found == [wanted]:
        yield CheckResult("migrations", "ok", f"tables are at revision {wanted}")
    else:
        yield CheckResult(
            "migrations",
            "fail",
            f"tables are at revision {', '.join(found) or 'none'}, this relay needs {wanted}: "
            "run `relay migrate`, or the relay version that wrote the tables",
        )


def _outbox(connection: Connection) -> Iterator[CheckResult]:
    try:
        findings = check_outbox(connection)
    except psycopg.errors.UndefinedTable:
        return
    for finding in findings:
        level: Level = "fail" if finding.level == "error" else "warn"
        yield CheckResult(finding.check, level, finding.message)
    if not findings:
        yield CheckResult(
            "outbox", "ok", "rows, sequence, durability and roles are as they should be"
        )


def _review(connection: Connection, catalog: Catalog) -> Iterator[CheckResult]:
    try:
        problems = not_in_use(connection, catalog)
    except psycopg.errors.UndefinedTable:
        return
    for problem in problems:
        yield CheckResult("review", "warn", problem)
    if not problems:
        yield CheckResult(
            "review", "ok", "what the catalog lists as in use is in use in the database"
        )


def _pins(connection: Connection, settings: Settings) -> Iterator[CheckResult]:
    admin = topics.open_admin(settings)
    try:
        found = pinned.check(connection, admin, settings)
    except RelayError as error:
        yield CheckResult("pins", "fail", str(error))
    except psycopg.errors.UndefinedTable:
        return
    else:
        yield CheckResult(
            "pins",
            "ok",
            f"relay {settings.name} has {found.shards} shards on this database and cluster",
        )


def _shards(connection: Connection, settings: Settings) -> Iterator[CheckResult]:
    """Whether every shard has a worker: events of one without it wait, and nothing else shows
    that."""
    try:
        shards, _ = read_shards(connection, settings.shards, settings.session_timeout_ms)
    except psycopg.errors.UndefinedTable:
        return
    unowned = [shard for shard in shards if shard.unowned_seconds is not None]
    for shard in unowned:
        yield CheckResult(
            "shards",
            "fail" if shard.lag else "warn",
            f"shard {shard.shard} has had no worker for {shard.unowned_seconds:,.0f} s, "
            f"{shard.lag:,} events wait in it; the last one was {shard.worker}. Start `relay run`; "
            "where it runs, look at its log and start it again",
        )
    if not unowned and any(shard.worker for shard in shards):
        yield CheckResult("shards", "ok", f"{len(shards)} shards are worked on")


def _topics(settings: Settings, cluster: topics.Cluster, catalog: Catalog) -> Iterator[CheckResult]:
    wanted = catalog.all_topics()
    if missing := sorted(wanted.keys() - cluster.topics.keys()):
        yield CheckResult(
            "topics", "fail", f"{', '.join(missing)} do not exist: run `relay migrate`"
        )
    admin = topics.open_admin(settings)
    try:
        states = topics.states(admin, wanted, cluster)
    except RelayError as error:
        yield CheckResult("topics", "fail", str(error))
        return
    wrong = 0
    for topic, state in states.items():
        if topic in catalog.topics and "compact" in state.cleanup_policy:
            wrong += 1
            yield CheckResult(
                "topics",
                "fail",
                f"topic {topic} has cleanup.policy={state.cleanup_policy}: Kafka would keep only "
                "the last event of each aggregate. Set cleanup.policy=delete",
            )
        if topic in catalog.topics and state.partitions != wanted[topic]:
            wrong += 1
            yield CheckResult(
                "topics",
                "warn",
                f"topic {topic} has {state.partitions} partitions, its domain file has "
                f"{wanted[topic]}: a topic keeps what it was created with. Set the file to that",
            )
    if not missing and not wrong:
        yield CheckResult("topics", "ok", f"all {len(wanted)} topics are there")


def _active(connection: Connection | None, catalog: Catalog) -> list[SchemaVersion]:
    """The active versions with their approved text; those without an approval are left out."""
    listed = [v for e in catalog.event_types.values() if (v := e.active) is not None]
    try:
        if connection is None or not has_begun(connection):
            return listed
    except psycopg.errors.UndefinedTable:
        return listed
    approved = [registrable(v, decisions(connection, v.event_type)) for v in listed]
    return [version for version in approved if not isinstance(version, str)]


def _registry(settings: Settings, active: Sequence[SchemaVersion]) -> Iterator[CheckResult]:
    missing = []
    try:
        with RegistryClient(settings.schema_registry_url) as registry:
            for version in active:
                if registry.lookup(version.subject, version.text) is None:
                    missing.append(f"{version.event_type} version {version.version}")
    except RelayError as error:
        yield CheckResult("registry", "fail", str(error))
        return
    if missing:
        yield CheckResult(
            "registry",
            "fail",
            f"{', '.join(missing)} are active but not registered, so their events wait: "
            "run `relay schemas register`",
        )
    else:
        yield CheckResult("registry", "ok", f"all {len(active)} active schemas are registered")


_VERSIONS = "select version_num from outbox.migrations"
