"""The review of a schema version by the command line, from the proposal to the old one's end."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import psycopg
import pytest
import yaml

from relay.consume import Group
from relay.consume.worker import consume
from relay.schema.catalog import Catalog
from relay.schema.client.client import RegistryClient
from tests.event_classes import event_class_of
from tests.relaying import SCHEMA_FIELDS, Relay, add_event_type
from tests.stack import until


def add_version(
    relay: Relay, number: int = 2, state: str = "proposed", unit: str = "piece"
) -> None:
    """Adds a version of `counted` with one more field to the schemas folder."""
    folder = relay.folder / "schemas" / relay.domain
    avsc = json.loads((folder / "counted.v1.avsc").read_text())
    avsc["fields"].append({"name": "unit", "type": "string", "default": unit})
    (folder / f"counted.v{number}.avsc").write_text(json.dumps(avsc))
    relist(relay, "counted", number, state)


def relist(relay: Relay, event_type: str, number: int, state: str) -> None:
    """Lists a version in its domain file."""
    file = relay.folder / "schemas" / relay.domain / "domain.yaml"
    content = yaml.safe_load(file.read_text())
    content["events"][event_type]["versions"][number] = state
    file.write_text(yaml.safe_dump(content))


def schemas(relay: Relay, *words: str, code: int = 0, **more: str) -> str:
    """Runs `relay schemas ...`; its output, or its one line of error where it is to fail."""
    done: subprocess.CompletedProcess[str] = relay.command("schemas", *words, **more)
    assert done.returncode == code, done.stderr
    if code == 0:
        return done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


def by_json(relay: Relay, *words: str, **more: str) -> Any:
    return json.loads(schemas(relay, *words, "--json", **more))


def schema_ids(relay: Relay) -> list[int]:
    """Ids that the published records are framed with, in order of the outbox."""
    records = sorted(relay.published(), key=lambda record: record.sequence)
    return [int.from_bytes(record.value[1:5], "big") for record in records]


def read_all(relay: Relay) -> None:
    """Runs the catalog's group `readers` to the topic's end."""
    avsc = json.loads((relay.folder / "schemas" / relay.domain / "counted.v1.avsc").read_text())
    group = Group("readers")
    group.handles(event_class_of(avsc))(lambda *_: None)
    settings = relay.settings()
    with RegistryClient(settings.schema_registry_url) as registry:
        consume(settings, group, registry, until_idle=True)


def test_a_version_goes_from_proposal_to_active_and_the_old_one_retires_after_its_last_reader(
    relay: Relay,
) -> None:
    # Given a version in use, an event written under it, and a file with the next one
    assert by_json(relay, "history", "counted")["versions"][0]["state"] == "active"
    relay.publish("a", 1)
    add_version(relay)

    # When it is proposed, then neither is it active nor does its proposer approve it
    proposed = by_json(relay, "propose", "counted", "2", "--by", "anna")
    assert (proposed["state"], [r["group"] for r in proposed["readers"]]) == (
        "proposed",
        ["readers"],
    )
    assert "is proposed" in schemas(relay, "activate", "counted", "2", code=1)
    again = by_json(relay, "propose", "counted", "2", "--by", "ben")
    assert (again["state"], again["by"]) == ("proposed", "anna")
    reason = ("--reason", "optional, with a default")
    own = schemas(relay, "approve", "counted", "2", "--by", "anna", *reason, code=1)
    assert "proposed by anna" in own
    for blank in ((), ("--reason", " ")):
        assert "--reason" in schemas(
            relay, "approve", "counted", "2", "--by", "ben", *blank, code=2
        )
    # and nothing of it is registered
    url = relay.environment["EVENT_BUS_SCHEMA_REGISTRY_URL"]
    subject = f"{relay.topic}-relay.events.{relay.domain}.Counted"
    text = (relay.folder / "schemas" / relay.domain / "counted.v2.avsc").read_text()
    shown = schemas(relay, "approve", "counted", "2", "--by", "ben", *reason)
    assert "version last decoded" in shown
    again = by_json(relay, "propose", "counted", "2", "--by", "anna")
    assert (again["state"], again["by"]) == ("approved", "ben")
    assert "readers" in shown
    with RegistryClient(url) as registry:
        assert registry.lookup(subject, text) is None

        # When it is activated, then it is registered and takes the place of the one before
        done = by_json(relay, "activate", "counted", "2", "--by", "anna")
        assert (done["registered"], done["replaced"]) == (True, 1)
        found = registry.lookup(subject, text)
        assert found is not None
        assert found["id"] == done["schemaId"]
    assert "is active" in schemas(relay, "activate", "counted", "2", code=1)

    # and each event goes out under the version that it was written with
    relay.publish("a", 2, unit="box")
    relay.must("run", "--until-idle")
    first, second = schema_ids(relay)
    assert first != second == done["schemaId"]

    # When the old one is to retire, then not before its last reader is done with it
    sunset = by_json(relay, "deprecate", "counted", "1", "--sunset", "2099-12-31")
    assert [(r["group"], r["lag"]) for r in sunset["readers"]] == [("readers", 2)]
    lagging = schemas(relay, "retire", "counted", "1", code=1)
    assert "readers has 2 records to read" in lagging
    read_all(relay)
    recent = schemas(relay, "retire", "counted", "1", code=1)
    assert "readers decoded version 1 at" in recent
    assert "records to read" not in recent
    quiet = by_json(relay, "retire", "counted", "1", EVENT_BUS_RETIRE_QUIET_DAYS="0")
    assert (quiet["state"], quiet["forced"]) == ("retired", False)
    readers = [(r["group"], r["version"], r["lag"]) for r in quiet["readers"]]
    assert readers == [("readers", 1, 0), ("readers", 2, 0)]

    # and all of it is on record
    steps = [
        (e["version"], e["action"], e["by"])
        for e in by_json(relay, "history", "counted")["history"]
    ]
    assert steps[:5] == [
        (1, "adopt", "relay migrate"),
        (2, "propose", "anna"),
        (2, "approve", "ben"),
        (1, "deprecate", "anna"),
        (2, "activate", "anna"),
    ]
    assert [step[:2] for step in steps[5:]] == [(1, "deprecate"), (1, "retire")]
    assert "approved -> active" in schemas(relay, "history", "counted")


def test_a_forced_retirement_keeps_its_reason_and_events_written_before_it_go_out(
    relay: Relay,
) -> None:
    relay.publish("a", 1)
    schemas(relay, "deprecate", "counted", "1", "--by", "anna")
    relay.must("run", "--until-idle")
    assert "--reason" in schemas(relay, "retire", "counted", "1", "--force", code=2)

    relay.sql(
        """insert into outbox.domain_events
               (event_type, schema_version, aggregate_type, aggregate_id, payload)
           values ('counted', 1, 'counter', 'a', '{"number": 2}')"""
    )
    why = ("--reason", "readers are gone for good")
    done = by_json(relay, "retire", "counted", "1", "--force", *why)
    assert done["forced"]
    last = by_json(relay, "history", "counted")["history"][-1]
    assert (last["forced"], last["reason"], last["from"]) == (True, why[1], "deprecated")

    relay.must("run", "--until-idle")
    assert len(relay.published()) == 2


def test_without_a_broker_a_version_retires_by_force_alone(relay: Relay) -> None:
    schemas(relay, "deprecate", "counted", "1")
    away = {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}
    assert "Kafka" in schemas(relay, "retire", "counted", "1", code=2, **away)
    done = by_json(relay, "retire", "counted", "1", "--force", "--reason", "broken", **away)
    assert (done["state"], done["forced"]) == ("retired", True)


def test_a_version_is_deprecated_where_no_broker_is_configured(relay: Relay) -> None:
    del relay.environment["EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"]
    done = by_json(relay, "deprecate", "counted", "1")
    assert (done["state"], [r["lag"] for r in done["readers"]]) == ("deprecated", [None])


def test_a_schema_that_the_registry_refuses_is_not_activated(relay: Relay) -> None:
    folder = relay.folder / "schemas" / relay.domain
    add_version(relay)
    avsc = json.loads((folder / "counted.v2.avsc").read_text())
    avsc["fields"][-1].pop("default")
    (folder / "counted.v2.avsc").write_text(json.dumps(avsc))
    # The check stops proposal and approval, and shows why
    stopped = schemas(relay, "propose", "counted", "2", "--by", "anna", code=1)
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in stopped
    assert "give --force with --reason" in stopped
    forced = ("--force", "--reason", "the group moves first")
    assert "needs --reason" in schemas(
        relay, "propose", "counted", "2", "--by", "anna", "--force", code=2
    )
    schemas(relay, "propose", "counted", "2", "--by", "anna", *forced)
    approving = ("approve", "counted", "2", "--by", "ben", "--reason", "the group moves first")
    assert "`unit` is new" in schemas(relay, *approving, code=1)
    schemas(relay, *approving, "--force")

    assert "incompatible under BACKWARD" in schemas(relay, "activate", "counted", "2", code=1)

    found = by_json(relay, "history", "counted")
    assert [v["state"] for v in found["versions"]] == ["active", "approved"]
    reasons = [entry["reason"] for entry in found["history"][-2:]]
    assert reasons == ["despite the check: the group moves first"] * 2


def test_what_nobody_approved_is_not_registered_though_its_file_says_active(
    relay: Relay,
) -> None:
    # Given versions whose domain file says active, and of which only one was approved
    folder = relay.folder / "schemas" / relay.domain
    add_version(relay, 2, "deprecated")
    add_version(relay, 3, "active", unit="box")
    add_event_type(relay.folder / "schemas", relay.domain, "gifted", SCHEMA_FIELDS)
    relist(relay, "counted", 1, "deprecated")
    schemas(relay, "propose", "counted", "3", "--by", "anna")
    schemas(relay, "approve", "counted", "3", "--by", "ben", "--reason", "boxes are needed")

    # When they are registered, then that one is and the others are named with what to do
    done = relay.command("schemas", "register", "--json")
    assert done.returncode == 1
    registered = {
        (row["eventType"], row["version"])
        for row in json.loads(done.stdout)
        if row["id"] is not None
    }
    assert registered == {("counted", 1), ("counted", 3)}
    refused = [line for line in done.stderr.splitlines() if "is refused" in line]
    assert len(refused) == 2
    assert all("not known to the database" in line for line in refused)
    with RegistryClient(relay.environment["EVENT_BUS_SCHEMA_REGISTRY_URL"]) as registry:
        subject = f"{relay.topic}-relay.events.{relay.domain}.Counted"
        assert registry.lookup(subject, (folder / "counted.v2.avsc").read_text()) is None

    # When a proposal is all there is, then neither
    schemas(relay, "propose", "counted", "2", "--by", "anna")
    assert "is proposed in the database" in schemas(relay, "register", code=1)

    # and only the domain files decide if that is requested
    done = relay.command("schemas", "register", "--without-review")
    assert (done.returncode, "without a review" in done.stderr) == (0, True)


def test_the_approved_text_is_registered_and_not_the_files(relay: Relay) -> None:
    file = relay.folder / "schemas" / relay.domain / "counted.v1.avsc"
    approved = file.read_text()
    file.write_text(approved.replace("free text", "any text"))
    done = relay.command("schemas", "register")
    assert done.returncode == 0
    assert "differs from the approved text" in done.stderr
    with RegistryClient(relay.environment["EVENT_BUS_SCHEMA_REGISTRY_URL"]) as registry:
        subject = f"{relay.topic}-relay.events.{relay.domain}.Counted"
        assert registry.lookup(subject, file.read_text()) is None

    file.write_text(approved.replace('"long"', '"string"'))
    assert "another schema than the one that was approved" in schemas(relay, "register", code=1)


def test_a_new_event_type_is_refused_until_it_is_decided_about_or_adopted(relay: Relay) -> None:
    # Given an event type that comes when the review has begun, and is listed as active
    add_event_type(relay.folder / "schemas", relay.domain, "gifted", SCHEMA_FIELDS)

    # When the relay is migrated, then it is named, and its events are refused
    done = relay.command("migrate")
    assert done.returncode == 0
    assert "0 schema versions adopted" in done.stderr
    assert "nobody has decided about event type 'gifted'" in done.stderr
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="nobody has decided"):
        relay.publish("a", 1, "gifted")

    # and one that was written all the same waits and loses no attempt
    written = relay.insert("a", 1, "gifted")
    with relay.running():
        until(lambda: relay.sql("select count(*) from outbox.holds") == [(1,)])
        (row,) = relay.status()
        assert (row["id"], row["delivery_attempts"]) == (written, 0)
        assert "relay schemas adopt" in row["last_error"]

        # until somebody adopts it, with a reason that stays on record
        assert "--reason" in schemas(relay, "adopt", "gifted", code=2)
        adopted = by_json(relay, "adopt", "gifted", "--by", "anna", "--reason", "alone here")
        assert [v["state"] for v in adopted["versions"]] == ["active"]
        schemas(relay, "register")
        relay.wait_until_delivered(1)
        relay.publish("a", 2, "gifted")
        relay.wait_until_delivered(2)
    (line,) = by_json(relay, "history", "gifted")["history"]
    assert (line["action"], line["by"], line["reason"]) == ("adopt", "anna", "alone here")
    again = schemas(relay, "adopt", "gifted", "--reason", "once more", code=1)
    assert "under review already" in again


def test_nothing_is_decided_before_what_is_in_use_was_adopted(
    relay: Relay,
) -> None:
    relay.sql("truncate outbox.schema_versions")
    add_version(relay)
    for words in (("propose", "counted", "2"), ("adopt", "counted", "--reason", "mine")):
        assert "Run relay migrate first" in schemas(relay, *words, code=2)
    assert relay.sql("select count(*) from outbox.schema_versions") == [(0,)]


def test_a_check_shows_which_groups_a_new_version_affects(relay: Relay) -> None:
    # Given a group that has read one of two events, an event type that nobody reads, and a version
    relay.publish("a", 1)
    relay.must("run", "--until-idle")
    read_all(relay)
    relay.publish("a", 2)
    relay.must("run", "--until-idle")
    until(lambda: relay.sql("select count(*) from inbox.decoded") == [(1,)])
    add_version(relay)

    # When it is checked with those who are affected
    check = ("check", "--against-registry", "--affected")
    told = "Groups that read counted: readers (last decoded version 1, lag 1)."

    # Then every form of the report has them
    assert told in schemas(relay, *check)
    markdown = schemas(relay, *check, "--format", "markdown")
    assert f"- **note** {told}" in markdown.splitlines()
    (version,) = by_json(relay, *check)["versions"]
    assert version["name"] == "counted@2"
    (reader,) = version["readers"]
    assert reader.pop("lastDecodedAt").startswith("20")
    assert isinstance(reader.pop("schemaId"), int)
    assert reader == {"group": "readers", "listed": True, "version": 1, "lag": 1}
    # and without being asked for, neither database nor broker is needed
    away = {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9", "EVENT_BUS_DATABASE_URL": "none"}
    (version,) = by_json(relay, "check", "--against-registry", **away)["versions"]
    assert (version["groups"], "readers" in version) == (["readers"], False)


def test_a_version_with_events_that_are_not_published_yet_retires_by_force_alone(
    relay: Relay,
) -> None:
    # Given a deprecated version that nobody reads, and events under it that are not published
    schemas(relay, "deprecate", "counted", "1")
    for number in (1, 2):
        relay.sql(
            """insert into outbox.domain_events
                   (event_type, schema_version, aggregate_type, aggregate_id, payload)
               values ('counted', 1, 'counter', 'a', jsonb_build_object('number', %s::integer))""",
            (number,),
        )

    # When it is to retire, then they are counted
    refused = schemas(relay, "retire", "counted", "1", code=1)
    assert "2 events under it are still to be published" in refused
    done = relay.command("schemas", "retire", "counted", "1", "--json")
    assert json.loads(done.stdout)["undelivered"] == 2
    why = ("--reason", "they go out all the same")
    forced = by_json(relay, "retire", "counted", "1", "--force", *why)
    assert (forced["forced"], forced["undelivered"]) == (True, 2)

    # and they are published even so
    relay.must("run", "--until-idle")
    assert len(relay.published()) == 2


def test_rows_that_name_no_version_keep_the_last_one_that_they_can_go_out_under(
    relay: Relay,
) -> None:
    # Given a row from before the review, which is to go out under the active version
    relay.insert("a", 1, "counted")
    schemas(relay, "deprecate", "counted", "1")

    # When the only version is to retire, then the row is counted
    refused = schemas(relay, "retire", "counted", "1", code=1)
    assert "1 event under it is still to be published" in refused

    # and it goes out once the version is active again
    schemas(relay, "activate", "counted", "1")
    relay.must("run", "--until-idle")
    assert len(relay.published()) == 1


def test_rows_under_a_version_that_was_withdrawn_are_not_published(relay: Relay) -> None:
    # Given a version that is approved and registered, and a row that was written past its review
    add_version(relay)
    schemas(relay, "propose", "counted", "2", "--by", "anna")
    schemas(relay, "approve", "counted", "2", "--by", "ben", "--reason", "read it")
    version = Catalog.load(relay.folder / "schemas").version("counted", 2)
    with RegistryClient(relay.settings().schema_registry_url) as registry:
        registry.register(version.subject, version.text)
    relay.sql(
        """insert into outbox.domain_events
               (event_type, schema_version, aggregate_type, aggregate_id, payload)
           values ('counted', 2, 'counter', 'a', '{"number": 1}')"""
    )

    # When the version is given up
    schemas(relay, "retire", "counted", "2", "--by", "anna", "--reason", "a better idea")
    relay.must("run", "--until-idle")

    # Then the row waits and says why
    assert relay.published() == []
    (row,) = relay.status()
    assert "was withdrawn before it was in use" in row["last_error"]
    assert row["delivery_attempts"] == 0


def test_bad_use_is_one_line_that_says_what_to_do(relay: Relay, database: str) -> None:
    def line(*words: str, code: int, **more: str) -> str:
        message = schemas(relay, *words, code=code, **more)
        assert message.count("\n") == 1, message
        return message

    assert "no schema version 9" in line("propose", "counted", "9", code=1)
    assert "not in the catalog" in line("propose", "unheard_of", "1", code=1)
    assert "nothing was decided" in line("history", "unheard_of", code=1)
    assert "YYYY-MM-DD" in line("deprecate", "counted", "1", "--sunset", "soon", code=2)
    assert "has passed" in line("deprecate", "counted", "1", "--sunset", "2020-01-01", code=2)
    assert "--by is empty" in line("deprecate", "counted", "1", "--by", " ", code=2)
    assert "relay schemas deprecate" in line("retire", "counted", "1", code=1)
    empty = {"EVENT_BUS_DATABASE_URL": database}
    assert "relay migrate" in line("history", "counted", code=2, **empty)
    for words in (("status",), ("verify",), ("event", "show", "x"), ("dlq", "list"), ("run",)):
        done = relay.command(*words, **empty)
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert "Run relay migrate" in done.stderr
    away = {"EVENT_BUS_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/x"}
    refused = line("history", "counted", code=2, **away)
    assert "EVENT_BUS_DATABASE_URL" in refused
    assert "port 9 failed: Connection refused" in refused
