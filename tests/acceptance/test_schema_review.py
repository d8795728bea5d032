"""The review of a schema version by the command line, from the proposal to the old one's end."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import yaml

from relay.avro.fingerprint import rabin
from relay.consume import Group
from relay.consume.worker import consume
from relay.events import DomainEvent
from relay.registry.client import RegistryClient
from tests.relaying import Relay


def add_version(relay: Relay, number: int = 2, state: str = "proposed") -> None:
    """Adds a version of `counted` with one more field to the schemas folder."""
    folder = relay.folder / "schemas" / relay.domain
    avsc = json.loads((folder / "counted.v1.avsc").read_text())
    avsc["fields"].append({"name": "unit", "type": "string", "default": "piece"})
    (folder / f"counted.v{number}.avsc").write_text(json.dumps(avsc))
    content = yaml.safe_load((folder / "domain.yaml").read_text())
    content["events"]["counted"]["versions"][number] = state
    (folder / "domain.yaml").write_text(yaml.safe_dump(content))


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

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Counted(DomainEvent):
        EVENT_TYPE: ClassVar[str] = "counted"
        SCHEMA_VERSION: ClassVar[int] = 1
        AGGREGATE_TYPE: ClassVar[str] = "counter"
        SCHEMA: ClassVar[dict[str, Any]] = avsc
        FINGERPRINT: ClassVar[bytes] = rabin(avsc)

        @classmethod
        def from_json(cls, _: Any, **rest: Any) -> Self:
            return cls(**rest)

    group = Group("readers")
    group.handles(Counted)(lambda *_: None)
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
    assert by_json(relay, "propose", "counted", "2", "--by", "anna")["state"] == "proposed"
    assert "is proposed" in schemas(relay, "activate", "counted", "2", code=1)
    reason = ("--reason", "optional, with a default")
    own = schemas(relay, "approve", "counted", "2", "--by", "anna", *reason, code=1)
    assert "proposed by anna" in own
    assert "--reason" in schemas(relay, "approve", "counted", "2", "--by", "ben", code=2)
    # and nothing of it is registered
    url = relay.environment["EVENT_BUS_SCHEMA_REGISTRY_URL"]
    subject = f"{relay.topic}-relay.events.{relay.domain}.Counted"
    text = (relay.folder / "schemas" / relay.domain / "counted.v2.avsc").read_text()
    schemas(relay, "approve", "counted", "2", "--by", "ben", *reason)
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


def test_a_schema_that_the_registry_refuses_is_not_activated(relay: Relay) -> None:
    folder = relay.folder / "schemas" / relay.domain
    add_version(relay)
    avsc = json.loads((folder / "counted.v2.avsc").read_text())
    avsc["fields"][-1].pop("default")
    (folder / "counted.v2.avsc").write_text(json.dumps(avsc))
    schemas(relay, "propose", "counted", "2", "--by", "anna")
    schemas(relay, "approve", "counted", "2", "--by", "ben", "--reason", "overlooked it")

    assert "incompatible under BACKWARD" in schemas(relay, "activate", "counted", "2", code=1)

    states = [v["state"] for v in by_json(relay, "history", "counted")["versions"]]
    assert states == ["active", "approved"]


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
    away = {"EVENT_BUS_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/x"}
    assert "EVENT_BUS_DATABASE_URL" in line("history", "counted", code=2, **away)
