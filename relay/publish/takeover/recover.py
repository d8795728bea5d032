"""`relay recover`: finds what stops a relay after a restore, a clone, a failover or a lost topic,
and fixes it.

The mirrored positions of the shards are cleared, and a last record in the positions topic marks
each for recovery. The next worker that takes a shard over then compares table and topics to see
what is published. The record is written under the shard's transactional id, which fences a worker
that still runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import psycopg

from relay.capture.position import BEGINNING, Position, Snapshot
from relay.errors import BrokerUnavailable, ConfigurationInvalid, PositionRefused
from relay.kafka import topics
from relay.kafka.clients import reader
from relay.postgres.identity import Identity, read_identity
from relay.postgres.sqlfile import load
from relay.publish import pinned
from relay.publish.errors import OutcomeUnknown
from relay.publish.producer import open_producer
from relay.publish.record import PositionRecord
from relay.publish.takeover.positions import last_record
from relay.publish.takeover.resume import Continue, Recover, decide
from relay.schema.catalog import Catalog
from relay.settings import Settings

__all__ = ["Findings", "inspect", "recover"]

Connection = psycopg.Connection[Any]

_SMALL_BATCH = 1_000_000
_TRIES = 3


@dataclass(slots=True)
class Findings:
    """What was found. words: one line for each thing to fix; notes: for each that the workers fix
    by themselves.

    identity: of this database. new_database, new_system, new_cluster: it is not the one that the
    relay was created on. foreign_rows: carry transaction ids of another system. topic_missing: the
    positions topic. numbers: last transaction of each shard whose position can't be used.
    """

    identity: Identity
    cluster: str
    new_database: bool = False
    new_system: bool = False
    new_cluster: bool = False
    foreign_rows: int = 0
    topic_missing: bool = False
    numbers: dict[int, int] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether there is nothing to recover."""
        return not self.words


def inspect(settings: Settings, connection: Connection) -> Findings:
    """Looks at database, cluster and positions, and changes nothing.

    Raises ConfigurationInvalid when this outbox has no relay, or one of another name or number of
    shards; BrokerUnavailable.
    """
    row = connection.execute(
        "select name, shards, system_identifier, database_oid, cluster_id from outbox.relay"
    ).fetchone()
    if row is None:
        raise ConfigurationInvalid(
            "this database has no relay, so there is nothing to recover: run `relay migrate`"
        )
    name, shards, system, database, cluster_id = row
    if (name, shards) != (settings.name, settings.shards):
        raise ConfigurationInvalid(
            f"this outbox is served by relay {name} with {shards} shards, the settings say "
            f"{settings.name} with {settings.shards}: set EVENT_BUS_NAME and EVENT_BUS_SHARDS back"
        )
    cluster = topics.describe(topics.open_admin(settings))
    found = Findings(read_identity(connection), cluster.identifier)
    _compare_identity(found, system, database, cluster_id)
    _count_foreign(found, connection)
    if settings.positions_topic not in cluster.topics:
        found.topic_missing = True
        found.words.append(
            f"topic {settings.positions_topic} does not exist: it is created again, and the "
            "workers recover all positions from table and topics"
        )
    _look_at_positions(found, settings, connection)
    return found


def recover(settings: Settings, connection: Connection, found: Findings) -> None:
    """Fixes what `inspect` found; a second run changes nothing.

    In this order, so that a crash in between leaves a relay that refuses to run and can be
    recovered again: the database in one transaction, the topics, then the positions' records.
    Raises CatalogInvalid, ConfigurationInvalid, BrokerUnavailable, psycopg.Error.
    """
    shards = sorted(found.numbers)
    with connection.transaction():
        connection.execute(
            load(__package__, "pin_identity.sql"),
            {
                "system": found.identity.system,
                "database": found.identity.database,
                "cluster": found.cluster,
            },
        )
        connection.execute(load(__package__, "clear_positions.sql"), {"shards": shards})
        if found.foreign_rows:
            connection.execute(load(__package__, "adopt_rows.sql"), {"every": found.new_system})
    admin = topics.open_admin(settings)
    catalog = Catalog.load(settings.schemas_dir)
    pins = dict(connection.execute("select topic, partitions from outbox.topics").fetchall())
    topics.create(admin, pins, replication=settings.replication_factor)
    pinned.pin(connection, admin, settings, {**catalog.topics, **pins})
    if settings.delivery == "exactly-once":
        for shard in shards:
            _write_record(settings, found, shard, {**catalog.topics, **pins})


def _compare_identity(found: Findings, system: str, database: int, cluster_id: str) -> None:
    here = found.identity
    found.new_system = system != here.system
    found.new_database = found.new_system or database != here.database
    if found.new_database:
        found.words.append(
            f"this is not the database that the relay was created on (system {system}, database "
            f"{database}), but {here}: the relay is pinned to this one. If the other one still "
            "publishes to the same Kafka cluster, its workers are fenced"
        )
    if cluster_id and found.cluster and cluster_id != found.cluster:
        found.new_cluster = True
        found.words.append(
            f"this is not Kafka cluster {cluster_id}, but {found.cluster}: the relay is pinned to "
            "this one. Events that are flagged as delivered stay so, and are not written to this "
            "cluster's topics"
        )


def _count_foreign(found: Findings, connection: Connection) -> None:
    row = connection.execute(
        load(__package__, "count_foreign.sql"), {"every": found.new_system}
    ).fetchone()
    found.foreign_rows = row[0] if row else 0
    if found.foreign_rows:
        found.words.append(
            f"{found.foreign_rows} rows of outbox.domain_events carry transaction ids of another "
            "system: they get an id that every snapshot here sees"
        )


def _look_at_positions(found: Findings, settings: Settings, connection: Connection) -> None:
    mirrors = dict(connection.execute("select shard, position from outbox.mirrors").fetchall())
    (now,) = connection.execute("select pg_current_snapshot()::text").fetchone() or ("",)
    # All positions are void on another database, with rows under other ids, or elsewhere.
    void = found.new_database or found.new_cluster or bool(found.foreign_rows)
    consumer = None if found.topic_missing else reader(settings)
    settled: dict[int, int] = {}
    try:
        for shard in range(settings.shards):
            known: list[PositionRecord] = []
            refused = "belongs to what was there before" if void else ""
            try:
                if (text := mirrors.get(shard)) is not None:
                    known.append(PositionRecord.from_json(text))
                mirror = record = known[0] if known else None
                if settings.delivery == "exactly-once":
                    record = None
                    if consumer is not None:
                        record = last_record(consumer, settings.positions_topic, shard)
                    known += [record] if record else []
                decision = decide(
                    shard, settings.shards, found.identity, Snapshot.parse(now), record, mirror
                )
                if isinstance(decision, Recover) and not void:
                    found.notes.append(
                        f"shard {shard} is recovered by its next worker: {decision.reason}"
                    )
                if isinstance(decision, Continue) and not void:
                    settled[shard] = decision.record.number
            except PositionRefused as error:
                refused = refused or str(error)
                if not void:
                    found.words.append(f"the position of shard {shard} is discarded: {error}")
            if refused:
                found.numbers[shard] = max((entry.number for entry in known), default=1)
    finally:
        if consumer is not None:
            consumer.close()
    _count_missed(found, settings.shards, settled, connection)
    if found.numbers:
        found.words.append(
            f"the positions of {len(found.numbers)} of {settings.shards} shards are cleared; what "
            "is published is determined from table and topics"
        )


def _count_missed(
    found: Findings, shards: int, settled: dict[int, int], connection: Connection
) -> None:
    """Finds shards whose position has passed rows that were never published (H54).

    settled: numbers of their last transactions, by shard, of those whose flags are all written.
    """
    missed = connection.execute(
        load(__package__, "count_missed.sql"), {"shards": shards, "settled": list(settled)}
    )
    for shard, count in missed:
        found.words.append(
            f"shard {shard} has passed {count} rows that are neither published nor held, such as "
            "rows copied from another system: they are published now"
        )
        found.numbers[shard] = settled[shard]


def _write_record(
    settings: Settings, found: Findings, shard: int, partitions: dict[str, int]
) -> None:
    """Fences the shard's owner, and writes a record whose missing mirror means: recover."""
    record = PositionRecord(
        # Above 1, which would be the first transaction of a new relay.
        number=max(found.numbers[shard], 1) + 1,
        shard=shard,
        shards=settings.shards,
        identity=found.identity,
        position=Position(BEGINNING, recovering=True),
        partitions=partitions,
    )
    for attempt in range(1, _TRIES + 1):
        producer = open_producer(settings, shard, _SMALL_BATCH)
        try:
            producer.take()
            producer.begin()
            producer.send_position(settings.positions_topic, shard, record.to_bytes())
            producer.flush()
            producer.commit()
            return
        except OutcomeUnknown as error:
            # A worker that still runs may have retaken the shard in between.
            if attempt == _TRIES:
                raise BrokerUnavailable(
                    f"the position of shard {shard} could not be written: {error}. "
                    "Stop all workers, check that Kafka runs, then run `relay recover` again"
                ) from error
        finally:
            producer.drop()
