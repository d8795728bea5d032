"""`relay prune` deletes what nobody needs any more, and nothing else (H60)."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from relay.consume.dead_letters.discard import discard as discard_all
from relay.consume.dead_letters.store import Filter, find
from relay.errors import BrokerUnavailable, ConfigurationInvalid
from relay.kafka import topics
from relay.operate.prune import offsets
from relay.operate.prune.report import PruneReport
from relay.operate.prune.run import prune
from relay.operate.timeline import read_timeline
from relay.operate.verify import verify
from relay.postgres.connect import connect
from relay.publish.worker import Worker
from tests.relaying import Relay
from tests.stack import until


@pytest.fixture
def relay(make_relay: Callable[..., Relay]) -> Relay:
    """A relay that gives an event up after one attempt."""
    return make_relay(max_attempts="1")


def publish_all(relay: Relay) -> None:
    """What `relay run --until-idle` does, without the cost of a process."""
    Worker(relay.settings()).run(until_idle=True)


def read(relay: Relay, upto: int | None = None) -> None:
    """Commits the group's offsets: all that is published, or below `upto` in every partition."""
    servers = relay.environment["EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"]
    ends = {0: 0, 1: 0, 2: 0, 3: 0}
    for record in relay.published():
        ends[record.partition] = record.offset + 1
    offsets = [
        TopicPartition(relay.topic, partition, end if upto is None else min(end, upto))
        for partition, end in ends.items()
    ]
    # Kept in a variable: without its client a request is abandoned.
    admin = AdminClient({"bootstrap.servers": servers})
    wanted = ConsumerGroupTopicPartitions("readers", offsets)
    admin.alter_consumer_group_offsets([wanted])["readers"].result(20)


def age(relay: Relay, days: int, *event_ids: str) -> None:
    """Makes some events, or all, look older."""
    ids = list(event_ids) or [
        event_id for (event_id,) in relay.sql("select id from outbox.domain_events")
    ]
    relay.sql(
        "with aged as ("
        "update outbox.domain_events set created_at = now() - make_interval(days => %s) "
        "where id = any(%s) returning seq) "
        "update outbox.deliveries set delivered_at = now() - make_interval(days => %s) "
        "where seq in (select seq from aged)",
        (days, ids, days),
    )


def ids(relay: Relay) -> list[str]:
    return [
        event_id for (event_id,) in relay.sql("select id from outbox.domain_events order by seq")
    ]


def stays(report: PruneReport, what: str = "events") -> dict[str, int]:
    return dict(next(part.stays for part in report.parts if part.what == what))


def test_only_what_is_published_read_settled_and_old_goes(relay: Relay) -> None:
    # Given old events, of which one is held, one parked, one dead in its group and one not
    # published, and one that was published just now
    old = [relay.publish("a", number) for number in range(3)]
    parked, dead, young = (relay.publish(f"b{n}", n) for n in range(3))
    held = relay.insert("c", 1, "unheard_of")
    publish_all(relay)
    read(relay)
    late = relay.publish("d", 1)
    age(relay, 31)
    age(relay, 29, young)
    relay.sql(
        "with queues as (insert into inbox.parked_queues values (1, 'readers', now())) "
        "insert into inbox.parked (group_name, event_id, queue, sequence, topic, partition, "
        "kafka_offset, key, header_names, header_values) "
        "values ('readers', %s, 1, 0, 't', 0, 0, '', '{}', '{}')",
        (parked,),
    )
    relay.sql(
        "insert into inbox.dead_letters (group_name, event_id, attempt, topic, partition, "
        "kafka_offset, key, header_names, header_values, stage, error_class, error, stacktrace, "
        "first_failed_at, failed_at, dlq_topic, unsent) values "
        "('readers', %s, 1, 't', 0, 0, '', '{}', '{}', 'handle', '', '', '', now(), now(), 'd', "
        "false)",
        (dead,),
    )

    # When somebody looks first, then nothing goes, and the answer is that of the run
    dry = prune(relay.settings(), dry_run=True)
    assert len(ids(relay)) == 8
    report = prune(relay.settings())
    assert (dry.parts, dry.dry_run) == (report.parts, True)

    # Then only those go that nobody needs, and each other one has its reason
    assert ids(relay) == [parked, dead, young, held, late]
    assert report.parts[0].deleted == len(old)
    assert stays(report) == {
        "parked in group readers": 1,
        "with an open dead letter of group readers": 1,
        "dead": 1,
        "not published": 1,
    }
    assert "stays: " in report.parts[0].line()
    # and a second run finds nothing
    assert prune(relay.settings()).parts[0].deleted == 0


def discard(relay: Relay, event_id: str) -> None:
    """Gives a dead event up, and waits until its shard's worker has seen that."""
    with connect(relay.database_url) as connection:
        assert discard_all(connection, find(connection, Filter(event_ids=[event_id])), "why")[0]
    publish_all(relay)


def test_an_event_that_was_given_up_goes_like_a_published_one(relay: Relay) -> None:
    # Given three dead events of which two are discarded, one of them long ago
    old, young, dead = (relay.insert(f"c{n}", 1, "unheard_of") for n in range(3))
    publish_all(relay)
    for event_id in (old, young):
        discard(relay, event_id)
    age(relay, 31)
    relay.sql(
        "update outbox.holds set discarded_at = now() - interval '31 days' where event_id = %s",
        (old,),
    )
    relay.sql("insert into outbox.replays select seq from outbox.holds")
    # When the outbox is pruned
    report = prune(relay.settings())
    # Then only the one goes that was discarded long ago, with all that is known about it
    assert ids(relay) == [young, dead]
    assert stays(report) == {"dead": 1}
    assert relay.sql("select event_id from outbox.holds order by seq") == [(young,), (dead,)]
    assert relay.sql("select count(*) from outbox.replays") == [(2,)]
    # and nothing is published again
    publish_all(relay)
    assert relay.published() == []


def test_a_discarded_event_that_is_replayed_meanwhile_stays(relay: Relay) -> None:
    # Given an event that was discarded long ago
    event_id = relay.insert("c", 1, "unheard_of")
    publish_all(relay)
    discard(relay, event_id)
    relay.sql("update outbox.holds set discarded_at = now() - interval '31 days'")
    age(relay, 31)
    with connect(relay.database_url, autocommit=False) as other, ThreadPoolExecutor(1) as pool:
        # When somebody has it replayed while the outbox is pruned
        other.execute(
            "update outbox.holds set state = 'failing', next_attempt_at = now(), "
            "discard_reason = null, discarded_at = null"
        )
        report = pool.submit(prune, relay.settings())
        until(
            lambda: relay.sql(
                "select true from pg_stat_activity where datname = current_database() "
                "and application_name = 'relay prune' and wait_event_type = 'Lock'"
            )
        )
        other.commit()
        # Then it stays
        assert report.result(60).parts[0].deleted == 0
    assert ids(relay) == [event_id]


def test_what_a_group_has_not_read_stays(relay: Relay) -> None:
    # Given old events of one partition, of which the group has read the first two
    *_, third = (relay.publish("a", number) for number in range(3))
    publish_all(relay)
    age(relay, 40)
    # When nobody has read anything, then nothing goes
    printed = json.loads(relay.must("prune", "--dry-run", "--json"))
    report = prune(relay.settings())
    assert printed == report.to_json() | {"dry_run": True}
    assert len(ids(relay)) == 3
    partition = relay.published()[0].partition
    where = f"{relay.topic}[{partition}]"
    assert stays(report) == {
        f"that group readers has not read: it has read {where} only below offset 0": 3
    }
    # When it has read two
    read(relay, upto=relay.published()[1].offset + 1)
    prune(relay.settings())
    # Then these go
    assert ids(relay) == [third]


def test_while_kafka_is_unavailable_nothing_goes(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay.publish("a", 1)
    publish_all(relay)
    read(relay)
    age(relay, 40)
    describe = topics.describe
    monkeypatch.setattr(offsets, "describe", lambda admin: describe(admin, timeout=0.5))
    nowhere = relay.settings().model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:9"})
    with pytest.raises(BrokerUnavailable):
        prune(nowhere)
    assert len(ids(relay)) == 1


def test_every_command_knows_what_was_pruned(relay: Relay) -> None:
    # Given events of which the first were pruned
    old = [relay.publish(f"a{number % 3}", number) for number in range(6)]
    publish_all(relay)
    read(relay)
    age(relay, 40)
    relay.publish("a1", 6)
    publish_all(relay)
    prune(relay.settings())
    assert len(ids(relay)) == 1

    # Then a timeline says that it may lack some, one after them does not
    with connect(relay.database_url) as connection:
        timeline = read_timeline(connection, "counter", "a1")
        assert (len(timeline.events), timeline.pruned_at is not None) == (1, True)
        after = read_timeline(connection, "counter", "a1", cursor=timeline.events[0].seq)
        assert after.pruned_at is None
    # verify counts them, and misses nothing
    report = verify(relay.settings())
    assert report.sound
    assert (report.counts["pruned"], report.counts["without_row"]) == (6, 0)
    # event show and replay say what happened
    shown = relay.command("event", "show", old[0])
    assert shown.returncode == 1
    assert f"event {old[0]} was pruned at 20" in shown.stderr
    replayed = relay.command("dlq", "replay", old[0])
    assert replayed.returncode == 1
    assert "was pruned at 20" in replayed.stderr
    assert "there is no event nothing" in relay.command("event", "show", "nothing").stderr


def test_a_recovery_neither_reads_nor_misses_what_was_pruned(relay: Relay) -> None:
    # Given a relay that has pruned all its events, and lost its positions
    for number in range(6):
        relay.publish(f"a{number % 3}", number)
    publish_all(relay)
    read(relay)
    age(relay, 40)
    prune(relay.settings())
    published = len(relay.published())
    relay.sql("""update outbox.positions set position = jsonb_set(position, '{number}', '9')""")

    # When its shards are recovered and one more event is written
    with relay.running(EVENT_BUS_LOG_LEVEL="INFO"):
        relay.publish("a1", 6)
        relay.wait_until_delivered(1)

    # Then only that one is published, and no record is reported as one without a row
    assert len(relay.published()) == published + 1
    assert "is recovered from table and topics" in relay.log()
    assert "row is gone" not in relay.log()


def test_inbox_rows_stay_while_their_record_or_event_can_come_again(relay: Relay) -> None:
    # Given two processed events of which one is still in the outbox
    gone, there = relay.publish("a", 1), relay.publish("b", 1)
    publish_all(relay)
    read(relay)
    age(relay, 40, gone)
    relay.sql(
        "insert into inbox.processed (group_name, event_id, processed_at) "
        "select 'readers', unnest(%s::text[]), now() - interval '40 days'",
        ([gone, there],),
    )
    relay.sql(
        "insert into inbox.processed (group_name, event_id, processed_at) "
        "select name, 'foreign', now() - interval '29 days' from unnest(%s::text[]) name",
        (["readers", "unknown"],),
    )

    # When the inbox is to be kept for less time than the topic keeps its records
    short = relay.settings().model_copy(update={"inbox_retention_days": 14})
    with pytest.raises(ConfigurationInvalid, match=r"Set it to 15 or more"):
        prune(short)
    # Then nothing at all is deleted
    assert len(ids(relay)) == 2

    # When it is kept for longer
    report = prune(relay.settings())
    # Then only what is old and of no event of the outbox goes
    left = relay.sql("select group_name, event_id from inbox.processed order by 1, 2")
    assert sorted(left) == sorted(
        [("readers", "foreign"), ("readers", there), ("unknown", "foreign")]
    )
    assert stays(report, "inbox of group unknown")
