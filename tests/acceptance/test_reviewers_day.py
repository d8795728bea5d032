"""A day of a schema's author and its reviewer: files in git, the command line, the HTTP API."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import httpx
import pytest
import yaml
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from tests.relaying import Relay


class Day:
    """A relay whose schemas folder is in a git repository, on a branch of the author's."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.folder = relay.folder / "schemas" / relay.domain
        self.subject = f"{relay.topic}-relay.events.{relay.domain}.Counted"
        relay.must("schemas", "generate")
        self.git("init", "--quiet", "--initial-branch", "main")
        self.commit()
        self.git("switch", "--quiet", "--create", "units")

    def git(self, *words: str) -> None:
        who = ("-c", "user.name=anna", "-c", "user.email=anna@example.org")
        subprocess.run(
            ["git", *who, *words], cwd=self.relay.folder, check=True, capture_output=True
        )

    def commit(self) -> None:
        self.git("add", "--all", "schemas")
        self.git("commit", "--quiet", "--message", "schemas")

    def write(self, **field: Any) -> str:
        """Writes version 2 with one more field, as a proposal; its text."""
        avsc = json.loads((self.folder / "counted.v1.avsc").read_text())
        avsc["doc"] = "Something was counted."
        avsc["fields"].append(field)
        text = json.dumps(avsc)
        (self.folder / "counted.v2.avsc").write_text(text)
        self.list_as("proposed")
        return text

    def list_as(self, state: str) -> None:
        """Sets version 2 to a state in the domain file."""
        file = self.folder / "domain.yaml"
        content = yaml.safe_load(file.read_text())
        content["events"]["counted"]["versions"][2] = state
        file.write_text(yaml.safe_dump(content))

    def fails(self, *words: str) -> str:
        """Runs `relay schemas ...`, which must end with 1; all that it says."""
        done = self.relay.command("schemas", *words)
        assert done.returncode == 1, done.stderr
        return done.stdout + done.stderr

    def runs(self, *words: str) -> str:
        return self.relay.must("schemas", *words)


@pytest.fixture
def day(relay: Relay) -> Day:
    return Day(relay)


def test_a_change_goes_from_a_bad_draft_to_an_active_version(day: Day) -> None:
    # Given a draft that old events can't be read with, with money that has no currency
    draft = day.write(name="price", type={"type": "bytes", "logicalType": "decimal",
                                          "precision": 10, "scale": 2})  # fmt: skip
    # When the author asks, then each tool says its part
    assert "`price` is new: decimal(10, 2)" in day.runs("diff", "counted@1", "counted@2")
    assert "money-without-currency" in day.fails("lint", "counted@2")
    verdict = json.loads(day.fails("check", "--against", "main", "--json").split("\n")[0])
    (checked,) = verdict["versions"]
    assert (checked["name"], checked["status"], checked["passed"]) == ("counted@2", "new", False)
    (broken,) = checked["comparisons"][0]["incompatibilities"]
    assert broken["rule"] == "READER_FIELD_MISSING_DEFAULT_VALUE"
    assert broken["fix"]
    # and a pull request shows it
    page = day.fails("check", "--against", "main", "--format", "markdown")
    assert "### counted@2 is new: stopped" in page
    # and the registry says the same to any client, with the place
    client = SchemaRegistryClient({"url": day.relay.environment["EVENT_BUS_SCHEMA_REGISTRY_URL"]})
    assert not client.test_compatibility(day.subject, Schema(draft, "AVRO"))
    url = day.relay.environment["EVENT_BUS_SCHEMA_REGISTRY_URL"]
    answer = httpx.post(
        f"{url}/compatibility/subjects/{day.subject}/versions/latest",
        params={"verbose": "true"},
        json={"schema": draft},
        trust_env=False,
    ).json()
    assert answer["is_compatible"] is False
    assert "price" in " ".join(answer["messages"])

    # When the draft is fixed
    fixed = day.write(name="unit", type="string", default="piece", doc="What was counted.")
    day.runs("lint", "counted@2")
    assert "counted@2 is new: passes" in day.runs("check", "--against", "main")
    assert "counted@2 is new: passes" in day.runs("check", "counted", "--against-registry")
    assert client.test_compatibility(day.subject, Schema(fixed, "AVRO"))
    # then nothing of all that has registered it, nor do its author's proposal and the approval
    day.runs("propose", "counted", "2", "--by", "anna", "--reason", "units are asked for")
    day.list_as("approved")
    assert "version 2 is proposed in the database" in day.fails("register")
    day.list_as("proposed")
    assert "proposed by anna" in day.fails(
        "approve", "counted", "2", "--by", "anna", "--reason", "fine"
    )
    day.runs("approve", "counted", "2", "--by", "ben", "--reason", "optional, diff read")
    assert client.get_versions(day.subject) == [1]
    # and an event can't be written under it yet
    late = (
        "insert into outbox.domain_events (event_type, schema_version, aggregate_type, "
        "aggregate_id, payload) values ('counted', 2, 'counter', 'a', '{\"number\": 1}')"
    )
    day.relay.sql(late)
    day.relay.must("run", "--until-idle", EVENT_BUS_MAX_ATTEMPTS="1")
    assert day.relay.published() == []

    # When it is activated, and its release made
    day.runs("activate", "counted", "2", "--by", "anna")
    assert client.get_versions(day.subject) == [1, 2]
    day.list_as("active")
    text = (day.folder / "domain.yaml").read_text().replace("1: active", "1: deprecated")
    (day.folder / "domain.yaml").write_text(text)
    assert "events.py" in day.fails("generate", "--check")
    day.runs("generate")
    day.runs("generate", "--check")
    day.commit()
    # then all that tells others of the catalog follows, and says when it is stale
    catalog = day.relay.folder / "catalog.md"
    day.runs("export", "--markdown", "--output", str(catalog))
    assert "1 deprecated, 2 active" in catalog.read_text()
    day.runs("export", "--markdown", "--output", str(catalog), "--check")
    assert json.loads(day.runs("export", "--asyncapi"))["asyncapi"].startswith("3.")
    listed = json.loads(day.runs("list", "--json"))
    assert "counted" in json.dumps(listed)
    # and the event that waited goes out
    day.relay.must("run", "--until-idle")
    assert len(day.relay.published()) == 1
    assert "approved -> active" in day.runs("history", "counted")
    assert "No schema has changed" in day.runs("check")

    # When a later hand edits a version in place, and loosens what is promised
    v1 = day.folder / "counted.v1.avsc"
    v1.write_text(v1.read_text().replace('"long"', '"string"'))
    file = day.folder / "domain.yaml"
    file.write_text(f"compatibility: NONE\n{file.read_text()}")
    stopped = day.fails("check")
    assert "counted@1 was changed in place: stopped" in stopped
    assert "Compatibility of" in stopped


def test_an_event_type_that_is_new_is_not_published_unreviewed(day: Day) -> None:
    # Given an event type that its author lists as active right away
    file = day.folder / "domain.yaml"
    content = yaml.safe_load(file.read_text())
    content["events"]["moved"] = {**content["events"]["counted"]}
    file.write_text(yaml.safe_dump(content))
    avsc = json.loads((day.folder / "counted.v1.avsc").read_text())
    (day.folder / "moved.v1.avsc").write_text(json.dumps({**avsc, "name": "Moved"}))
    # When it is migrated and registered, then both say what is missing, and it can't be written
    assert "moved" in day.relay.command("migrate").stderr
    assert "nobody has approved it" in day.fails("register")
    with pytest.raises(Exception, match="nobody has decided about event type moved"):
        day.relay.publish("a", 1, event_type="moved")
    # but after its review, or where it is taken over by somebody who says why
    day.runs("adopt", "moved", "--reason", "one person's project")
    day.runs("register")
    day.relay.publish("a", 1, event_type="moved")
    day.relay.must("run", "--until-idle")
    assert [r.headers["ce_type"] for r in day.relay.published()] == ["moved"]
