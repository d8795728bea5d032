"""Checks that everything the relay needs is there and as it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
from confluent_kafka.admin import AdminClient

from relay.errors import CatalogInvalid, RelayError
from relay.kafka import clients, topics
from relay.operate.lag import read_shards
from relay.operate.outbox_checks import CheckResult, check_outbox, failed, passed, warned
from relay.postgres.connect import connect
from relay.postgres.identity import read_identity
from relay.postgres.migrate import wanted_revision
from relay.publish import pinned
from relay.publish.producer import open_producer
from relay.schema.approvals.versions_in_force import (
    NotApproved,
    find_problems,
    versions_in_force,
)
from relay.schema.catalog import Catalog, SchemaVersion
from relay.schema.client.client import RegistryClient
from relay.schema.majors.converters import conversion
from relay.settings import Settings, unknown_variables

__all__ = ["CheckResult", "examine"]


class _Doctor:
    """What the checks work with. Each attribute is set by the check that finds it in order."""

    catalog: Catalog
    connection: psycopg.Connection[Any]
    admin: AdminClient
    cluster: topics.Cluster

    def __init__(self, settings: Settings) -> None:
        self.settings = settings


def examine(settings: Settings) -> Iterator[CheckResult]:
    """Runs all checks; one that needs what an earlier one did not find is left out."""
    doctor = _Doctor(settings)
    try:
        for name, (check, needs) in _CHECKS.items():
            if needs <= vars(doctor).keys():
                try:
                    yield from check(doctor)
                except RelayError as error:
                    yield failed(name, str(error))
                except psycopg.errors.UndefinedTable:
                    pass  # The check of the migrations reports it.
    finally:
        if hasattr(doctor, "connection"):
            doctor.connection.close()


def _settings(_: _Doctor) -> Iterator[CheckResult]:
    yield from (warned("settings", problem) for problem in unknown_variables())


def _catalog(doctor: _Doctor) -> Iterator[CheckResult]:
    folder = doctor.settings.schemas_dir
    catalog = doctor.catalog = Catalog.load(folder)
    yield passed(
        "catalog",
        f"{len(catalog.domains)} domains, {len(catalog.event_types)} event types, "
        f"{len(catalog.groups)} consumer groups in {folder}",
    )


def _converters(doctor: _Doctor) -> Iterator[CheckResult]:
    """Checks that every converter between major versions can be run."""
    problems = []
    majors = [(e.replaces, e.name) for e in doctor.catalog.event_types.values() if e.replaces]
    for older, newer in majors:
        try:
            conversion(doctor.catalog, older, newer)
            conversion(doctor.catalog, newer, older)
        except CatalogInvalid as error:
            problems.append(f"{error}. Until then events of {older} are held")
    if problems:
        yield failed("converters", "; ".join(problems))
    elif majors:
        yield passed("converters", f"{len(majors)} between major versions can be run")


def _database(doctor: _Doctor) -> Iterator[CheckResult]:
    connection = connect(doctor.settings.database_url, application_name="relay doctor")
    doctor.connection = connection
    version = connection.info.server_version // 10_000
    if version < 13:
        yield failed("database", f"PostgreSQL {version} is too old: 13 or newer is needed")
    else:
        yield passed("database", f"PostgreSQL {version}, a primary: {read_identity(connection)}")


def _kafka(doctor: _Doctor) -> Iterator[CheckResult]:
    doctor.admin = topics.open_admin(doctor.settings)
    clients.refuse_bad_options(doctor.settings)
    cluster = doctor.cluster = topics.describe(doctor.admin)
    open_producer(doctor.settings, 0, 1_000_000).drop()
    yield passed("kafka", f"cluster {cluster.identifier}, {cluster.brokers} brokers are up")


def _migrations(doctor: _Doctor) -> Iterator[CheckResult]:
    wanted = wanted_revision()
    try:
        rows = doctor.connection.execute("select version_num from outbox.migrations").fetchall()
    except psycopg.errors.UndefinedTable:
        rows = []
    if rows == [(wanted,)]:
        yield passed("migrations", f"tables are at revision {wanted}")
    else:
        found = ", ".join(revision for (revision,) in rows) or "none"
        yield failed(
            "migrations",
            f"tables are at revision {found}, this relay needs {wanted}: "
            "run `relay migrate`, or the relay version that wrote the tables",
        )


def _outbox(doctor: _Doctor) -> Iterator[CheckResult]:
    problems = check_outbox(doctor.connection)
    yield from problems
    if not problems:
        yield passed("outbox", "rows, sequence, durability and roles are as they should be")


def _review(doctor: _Doctor) -> Iterator[CheckResult]:
    problems = find_problems(doctor.connection, doctor.catalog)
    yield from (warned("review", problem) for problem in problems)
    if not problems:
        yield passed("review", "what the catalog lists as in use is in use in the database")


def _pins(doctor: _Doctor) -> Iterator[CheckResult]:
    found = pinned.check(doctor.connection, doctor.admin, doctor.settings)
    yield from (warned("pins", warning) for warning in found.warnings)
    yield passed(
        "pins",
        f"relay {doctor.settings.name} has {found.shards} shards on this database and cluster",
    )


def _shards(doctor: _Doctor) -> Iterator[CheckResult]:
    """Checks that every shard has a worker: nothing else shows that a shard's events wait."""
    settings = doctor.settings
    shards, _ = read_shards(doctor.connection, settings.shards, settings.session_timeout_ms)
    unowned = [shard for shard in shards if shard.unowned_seconds is not None]
    for shard in unowned:
        yield (failed if shard.lag else warned)(
            "shards",
            f"shard {shard.shard} has had no worker for {shard.unowned_seconds:,.0f} s, "
            f"{shard.lag:,} events wait in it; the last one was {shard.worker}. Start `relay run`; "
            "where it runs, look at its log and start it again",
        )
    if not unowned and any(shard.worker for shard in shards):
        yield passed("shards", f"{len(shards)} shards are worked on")


def _topics(doctor: _Doctor) -> Iterator[CheckResult]:
    wanted = doctor.catalog.all_topics()
    missing = sorted(wanted.keys() - doctor.cluster.topics.keys())
    if missing:
        yield failed("topics", f"{', '.join(missing)} do not exist: run `relay migrate`")
    states = topics.states(doctor.admin, wanted, doctor.cluster)
    problems = [
        problem
        for topic, state in states.items()
        if topic in doctor.catalog.topics
        for problem in _topic_problems(topic, state, wanted[topic])
    ]
    yield from problems
    if not missing and not problems:
        yield passed("topics", f"all {len(wanted)} topics are there")


def _copies(doctor: _Doctor) -> Iterator[CheckResult]:
    """Warns of topics that one broker alone has (H55)."""
    copies = doctor.cluster.copies
    wanted = [*doctor.catalog.all_topics(), doctor.settings.positions_topic]
    there = [topic for topic in wanted if topic in copies]
    single = sorted(topic for topic in there if copies[topic] == 1)
    if single:
        shown = ", ".join(single[:3]) + (" ..." if len(single) > 3 else "")
        yield warned(
            "copies",
            f"{len(single)} of {len(there)} topics have one copy ({shown}). When its broker "
            "crashes, records can be lost, and the marker that ends a transaction, so that events "
            "wait or show twice (KAFKA-20734). Have three copies of every topic outside of "
            "development",
        )
    elif there:
        yield passed("copies", f"every topic has {min(copies[topic] for topic in there)} or more")


def _topic_problems(topic: str, state: topics.TopicState, partitions: int) -> Iterator[CheckResult]:
    if "compact" in state.cleanup_policy:
        yield failed(
            "topics",
            f"topic {topic} has cleanup.policy={state.cleanup_policy}: Kafka would keep only "
            "the last event of each aggregate. Set cleanup.policy=delete",
        )
    if state.partitions != partitions:
        yield warned(
            "topics",
            f"topic {topic} has {state.partitions} partitions, its domain file has "
            f"{partitions}: a topic keeps what it was created with. Set the file to that",
        )


def _registry(doctor: _Doctor) -> Iterator[CheckResult]:
    active = _active(getattr(doctor, "connection", None), doctor.catalog)
    with RegistryClient(doctor.settings.schema_registry_url) as registry:
        missing = [
            f"{version.event_type} version {version.version}"
            for version in active
            if registry.lookup(version.subject, version.text) is None
        ]
    if missing:
        yield failed(
            "registry",
            f"{', '.join(missing)} are active but not registered, so their events wait: "
            "run `relay schemas register`",
        )
    else:
        yield passed("registry", f"all {len(active)} active schemas are registered")


def _active(connection: psycopg.Connection[Any] | None, catalog: Catalog) -> list[SchemaVersion]:
    """The active versions with their approved text; those without an approval are left out."""
    listed = [e.active for e in catalog.event_types.values() if e.active is not None]
    if connection is None:
        return listed
    approved = []
    for version in listed:
        try:
            in_force = versions_in_force(connection, catalog.event_type(version.event_type))
            approved.append(in_force.to_register(version))
        except psycopg.errors.UndefinedTable:
            return listed
        except NotApproved:
            continue
    return approved


# Name of a check -> the check, and the attributes that it needs, in the order of the output.
_CHECKS: dict[str, tuple[Callable[[_Doctor], Iterator[CheckResult]], set[str]]] = {
    "settings": (_settings, set()),
    "catalog": (_catalog, set()),
    "converters": (_converters, {"catalog"}),
    "database": (_database, set()),
    "kafka": (_kafka, set()),
    "migrations": (_migrations, {"connection"}),
    "outbox": (_outbox, {"connection"}),
    "review": (_review, {"connection", "catalog"}),
    "pins": (_pins, {"connection", "cluster"}),
    "shards": (_shards, {"connection"}),
    "topics": (_topics, {"cluster", "catalog"}),
    "copies": (_copies, {"cluster", "catalog"}),
    "registry": (_registry, {"catalog"}),
}
