"""Events that are published under two major versions: together, found again, and told apart."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from relay.kafka.options import client_options
from relay.schema.avro.decoder import compile_decoder
from relay.schema.catalog import Catalog, State
from tests.integration.majors import activate_major, copy_id
from tests.relaying import Record, Relay, kill
from tests.stack import until


def by_type(records: list[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record.headers["ce_type"], []).append(record)
    return found


def payload(relay: Relay, record: Record) -> object:
    catalog = Catalog.load(relay.folder / "schemas")
    return compile_decoder(catalog.active(record.headers["ce_type"]).avsc)(record.value[5:])


def flags(relay: Relay) -> list[tuple[object, ...]]:
    """Event id, copy, topic, partition, offset of all flags."""
    return relay.sql(
        "select e.id, d.copy, d.topic, d.partition, d.kafka_offset "
        "from outbox.deliveries d join outbox.domain_events e using (seq) order by e.seq, d.copy"
    )


def verified(relay: Relay) -> dict[str, int]:
    report = json.loads(relay.command("verify", "--json").stdout)
    names = ("events", "in_topics", "lost", "duplicated", "out_of_order", "wrong_flags")
    return {name: report[name] for name in names}


def sound(count: int) -> dict[str, int]:
    return {
        "events": count, "in_topics": count,
        "lost": 0, "duplicated": 0, "out_of_order": 0, "wrong_flags": 0,
    }  # fmt: skip


def test_an_event_goes_out_under_both_versions_with_ids_of_their_own_and_a_flag_each(
    relay: Relay,
) -> None:
    # Given a row that was written before there was a second version, and one of each after it
    before = relay.publish("a", 1, note="x")
    activate_major(relay)
    after = relay.publish("a", 2, note="y")
    second = str(
        relay.sql(
            "select outbox.publish('counted.v2', 'counter', 'a', %s)",
            ('{"count": 3, "label": "z"}',),
        )[0][0]
    )

    relay.must("run", "--until-idle")

    # Then each has a record under both, the copy before its original, in the rows' order
    records = relay.published()
    assert [(r.event_id, r.headers["ce_type"], payload(relay, r)) for r in records] == [
        (copy_id(relay, before), "counted.v2", {"count": 1, "label": "x"}),
        (before, "counted", {"number": 1, "note": "x"}),
        (copy_id(relay, after), "counted.v2", {"count": 2, "label": "y"}),
        (after, "counted", {"number": 2, "note": "y"}),
        (copy_id(relay, second, "Counted"), "counted", {"number": 3, "note": "z"}),
        (second, "counted.v2", {"count": 3, "label": "z"}),
    ]
    copy, original = records[:2]
    assert copy.partition == original.partition
    assert (copy.headers["ce_originalid"], copy.headers["ce_originaltype"]) == (before, "counted")
    assert "ce_copies" not in copy.headers
    assert original.headers["ce_copies"] == "counted.v2"
    assert "ce_originalid" not in original.headers
    same = ("ce_subject", "ce_time", "ce_sequence", "ce_source", "ce_correlationid")
    assert [copy.headers[name] for name in same] == [original.headers[name] for name in same]
    # and flags that say where
    assert flags(relay) == [
        (r.headers.get("ce_originalid", r.event_id), number, r.topic, r.partition, r.offset)
        for number, r in zip(
            (0, 2, 0, 2, 0, 1), (records[n] for n in (1, 0, 3, 2, 5, 4)), strict=True
        )
    ]
    assert verified(relay) == sound(3)
    shown = json.loads(relay.must("event", "show", before, "--json"))["delivery"]
    assert shown["offset"] == original.offset
    assert shown["copies"] == [
        {"major": 2, "topic": copy.topic, "partition": copy.partition, "offset": copy.offset}
    ]
    assert "also as v2" in relay.must("event", "show", before)


@pytest.mark.parametrize("state", [State.PROPOSED, State.APPROVED, State.RETIRED])
def test_a_version_that_is_not_in_use_gets_no_copies(relay: Relay, state: State) -> None:
    activate_major(relay, state)
    relay.publish("a", 1)
    relay.must("run", "--until-idle")
    (record,) = relay.published()
    assert record.headers["ce_type"] == "counted"
    assert "ce_copies" not in record.headers


def test_a_deprecated_version_gets_copies_for_as_long_as_it_has_readers(relay: Relay) -> None:
    activate_major(relay, State.DEPRECATED)
    relay.publish("a", 1)
    relay.must("run", "--until-idle")
    assert sorted(by_type(relay.published())) == ["counted", "counted.v2"]


def test_a_running_relay_begins_and_ends_with_copies_as_versions_are_decided_about(
    relay: Relay,
) -> None:
    activate_major(relay, State.APPROVED)

    def newest_copies() -> str | None:
        relay.publish("a", 1)
        until(lambda: all(row["delivered_at"] for row in relay.status()))
        last = max(relay.published(), key=lambda r: (r.sequence, r.offset))
        return last.headers.get("ce_copies")

    with relay.running():
        assert newest_copies() is None
        relay.must("schemas", "activate", "counted.v2", "1")
        until(lambda: newest_copies() == "counted.v2", timeout=20)
        relay.must("schemas", "deprecate", "counted.v2", "1")
        relay.must("schemas", "retire", "counted.v2", "1", "--force", "--reason", "a mistake")
        until(lambda: newest_copies() is None, timeout=20)
    assert verified(relay)["wrong_flags"] == 0


def test_a_worker_whose_folder_lacks_a_version_in_use_keeps_events_back_until_it_has_it(
    relay: Relay,
) -> None:
    # Given a running worker with a schemas folder from before the version
    folder = relay.folder / "schemas" / relay.domain
    before = {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
    with relay.running():
        relay.publish("a", 1)
        relay.wait_until_delivered(1)
        # When the version is activated by somebody whose folder has it
        activate_major(relay)
        after = {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
        for name in after.keys() - before.keys():
            (folder / name).unlink()
        (folder / "domain.yaml").write_text(before["domain.yaml"])

        def holds() -> list[tuple[object, ...]]:
            relay.publish("a", 2)
            return relay.sql("select error, attempts from outbox.holds order by seq")

        # Then events wait, and lose no attempt
        error, attempts = until(holds, timeout=20)[0]
        assert "counted.v2 is in use, and the catalog" in str(error)
        assert attempts == 0
        # until the folder is released to it
        for name, text in after.items():
            (folder / name).write_text(text)
        until(lambda: all(row["delivered_at"] for row in relay.status()), timeout=20)
    records = relay.published()
    last = [record for record in records if record.sequence == len(relay.status())]
    assert [record.headers["ce_type"] for record in last] == ["counted.v2", "counted"]
    assert verified(relay)["wrong_flags"] == 0


def test_an_event_that_can_t_be_converted_goes_out_under_neither_until_the_converter_can(
    make_relay: Callable[..., Relay],
) -> None:
    relay = make_relay(backoff_initial_ms="50", backoff_max_ms="100", max_attempts="1000")
    activate_major(relay)
    with relay.running():
        relay.publish("a", 1, note="unconvertible")
        relay.publish("a", 2)
        until(lambda: relay.status()[0]["delivery_attempts"] > 1)
        first, second = relay.status()
        assert "counted_v2.py, up: counted can't be converted" in first["last_error"]
        assert "nobody knows what that is now" in first["last_error"]
        assert second["delivery_state"] == "held"
        assert relay.published() == []
        # When the converter is mended, then both go out in their order
        converter = relay.folder / "schemas" / relay.domain / "counted_v2.py"
        converter.write_text(converter.read_text().replace('"unconvertible"', '"no such note"'))
        relay.wait_until_delivered(4)
    assert [r.sequence for r in relay.published()] == [1, 1, 2, 2]
    assert verified(relay) == sound(2)


def test_a_copy_that_is_too_large_keeps_its_original_back_too(
    make_relay: Callable[..., Relay],
) -> None:
    relay = make_relay(max_attempts="1")
    activate_major(relay)
    converter = relay.folder / "schemas" / relay.domain / "counted_v2.py"
    converter.write_text(converter.read_text().replace('payload["note"]}', '"x" * 1_100_000}'))
    relay.publish("a", 1)
    relay.must("run", "--until-idle")
    assert relay.published() == []
    assert "takes 1048588" in relay.status()[0]["last_error"]


def test_flags_of_copies_are_redone_when_a_worker_dies_before_it_wrote_them(relay: Relay) -> None:
    # Given a worker that committed to Kafka and can't write its flags
    activate_major(relay)
    worker = relay.start("run")
    relay.publish("warm", 0)
    relay.wait_until_delivered(2)
    with relay.locked("outbox.deliveries"):
        for number in range(40):
            relay.publish(f"k{number % 9}", number)
        until(lambda: len(relay.published()) > 2)
        # When it is killed there
        kill(worker)
    unflagged = len(relay.published()) - len(flags(relay))
    assert unflagged > 0
    assert unflagged % 2 == 0
    relay.must("run", "--until-idle")
    # Then originals and copies are there once, and flagged where they are
    records = relay.published()
    assert len(records) == 82
    assert len({record.event_id for record in records}) == 82
    assert sorted(flag[2:] for flag in flags(relay)) == sorted(r[:3] for r in records)  # type: ignore[type-var]
    assert verified(relay) == sound(41)


def test_flags_of_copies_are_found_anew_from_the_topics(relay: Relay) -> None:
    activate_major(relay)
    for number in range(10):
        relay.publish(f"a{number % 3}", number)
    relay.must("run", "--until-idle")
    before = flags(relay)
    assert len(before) == 20
    # Given a database that has lost flags and positions
    relay.sql("delete from outbox.deliveries where seq > 4")
    relay.sql("delete from outbox.positions")

    relay.must("run", "--until-idle")

    assert flags(relay) == before
    assert len(relay.published()) == 20
    assert verified(relay) == sound(10)


def test_verify_names_a_copy_that_is_not_where_its_flag_says_or_has_none(relay: Relay) -> None:
    activate_major(relay)
    relay.publish("a", 1)
    relay.publish("a", 2)
    relay.must("run", "--until-idle")
    assert verified(relay) == sound(2)

    relay.sql("update outbox.deliveries set kafka_offset = 0 where (seq, copy) = (2, 2)")
    assert verified(relay) == {**sound(2), "wrong_flags": 1}
    relay.sql("update outbox.deliveries set kafka_offset = 99 where (seq, copy) = (2, 2)")
    assert verified(relay) == {**sound(2), "wrong_flags": 1}
    relay.sql("delete from outbox.deliveries where (seq, copy) = (2, 2)")
    assert "has no flag" in relay.command("verify").stderr


def flag(relay: Relay, record: Record, copy: int = 0) -> None:
    relay.sql(
        "insert into outbox.deliveries (seq, copy, topic, partition, kafka_offset) "
        "values (%s, %s, %s, %s, %s)",
        (record.sequence, copy, *record[:3]),
    )


def test_verify_names_a_copy_that_is_announced_and_nowhere_or_behind_its_original(
    relay: Relay,
) -> None:
    # Given an original that says it has a copy, and has none
    activate_major(relay)
    relay.publish("a", 1)
    relay.must("run", "--until-idle")
    copy, original = relay.published()
    event = relay.publish("a", 2)
    relay.produce(original, ce_id=event, ce_sequence="2")
    flag(relay, relay.published()[-1])
    assert verified(relay) == {**sound(2), "wrong_flags": 1}
    assert "counted.v2" in relay.published()[-1].headers["ce_copies"]
    assert "copy 2, which" in relay.command("verify").stderr

    # When the copy is there after all, but behind its original
    headers = {"ce_id": copy_id(relay, event), "ce_originalid": event, "ce_sequence": "2"}
    relay.produce(copy, **headers)
    flag(relay, relay.published()[-1], 2)
    assert verified(relay) == {**sound(2), "wrong_flags": 1}
    assert "does not come before its original" in relay.command("verify").stderr


def test_an_announced_copy_that_retention_has_taken_is_not_missed(relay: Relay) -> None:
    # Given an original without its copy, at the beginning of what is left
    activate_major(relay)
    relay.publish("a", 1)
    relay.must("run", "--until-idle")
    _, original = relay.published()
    relay.sql("delete from outbox.deliveries where copy = 2")
    assert verified(relay) == {**sound(1), "wrong_flags": 1}
    admin = AdminClient(client_options(relay.settings()))
    place = TopicPartition(original.topic, original.partition, original.offset)
    admin.delete_records([place])[place].result()
    assert verified(relay) == sound(1)


def test_an_original_that_is_not_there_is_lost_although_its_copy_is(relay: Relay) -> None:
    # Given an event of which only the copy was published
    activate_major(relay)
    relay.publish("a", 1)
    relay.must("run", "--until-idle")
    copy = relay.published()[0]
    alone = relay.publish("a", 2)
    headers = {"ce_id": copy_id(relay, alone), "ce_originalid": alone, "ce_sequence": "2"}
    relay.produce(copy, **headers)
    relay.sql(
        "insert into outbox.deliveries (seq, topic, partition, kafka_offset) values (2, %s, %s, 2)",
        (copy.topic, copy.partition),
    )
    assert verified(relay)["lost"] == 1


def test_without_transactions_copies_go_out_as_well(make_relay: Callable[..., Relay]) -> None:
    relay = make_relay(delivery="at-least-once")
    activate_major(relay)
    relay.publish("a", 1)
    relay.must("run", "--until-idle")
    assert sorted(by_type(relay.published())) == ["counted", "counted.v2"]
    assert verified(relay) == sound(1)


def test_a_copy_of_an_attempt_without_transaction_needs_no_flag_when_the_next_one_makes_none(
    make_relay: Callable[..., Relay],
) -> None:
    # Given a worker that is killed behind an attempt whose flags are not written
    relay = make_relay(delivery="at-least-once", shards="1")
    activate_major(relay)
    worker = relay.start("run")
    relay.publish("warm", 0)
    relay.wait_until_delivered(2)
    with relay.locked("outbox.deliveries"):
        relay.publish("a", 1)
        until(lambda: len(relay.published()) == 4)
        kill(worker)
    # When the other version retires before the next attempt
    relay.must("schemas", "deprecate", "counted.v2", "1")
    relay.must("schemas", "retire", "counted.v2", "1", "--force", "--reason", "a mistake")
    relay.must("run", "--until-idle")
    # Then the event is there twice, which is allowed, and its flag is right
    assert len(relay.published()) == 5
    assert verified(relay) == {**sound(2), "duplicated": 1}
