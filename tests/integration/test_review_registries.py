"""The review's commands work on Apicurio as they do on the embedded registry."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from relay.schema.client.client import RegistryClient
from tests import apicurio
from tests.acceptance.test_schema_review import add_version, by_json, schema_ids, schemas
from tests.relaying import Relay

APICURIO = pytest.param(
    "apicurio_url",
    marks=pytest.mark.skipif(
        not apicurio.wanted(), reason="EVENT_BUS_TEST_REGISTRY=apicurio compares with Apicurio"
    ),
)
AGAINST_REGISTRY = ("check", "--against-registry")


@dataclass(frozen=True)
class Reviewed:
    """A relay whose first version of `counted` is registered, and the registry."""

    relay: Relay
    registry: RegistryClient

    @property
    def subject(self) -> str:
        return f"{self.relay.topic}-relay.events.{self.relay.domain}.Counted"

    @property
    def versions(self) -> list[int]:
        """What the registry has under the subject."""
        return [number for number, _ in self.registry.versions(self.subject)]

    def text(self, number: int) -> str:
        """The schema of a version, as its file has it."""
        folder = self.relay.folder / "schemas" / self.relay.domain
        return (folder / f"counted.v{number}.avsc").read_text()

    def without_default(self, number: int) -> None:
        """Takes the default of the last field away, so that the version before can't be read."""
        avsc = json.loads(self.text(number))
        del avsc["fields"][-1]["default"]
        folder = self.relay.folder / "schemas" / self.relay.domain
        (folder / f"counted.v{number}.avsc").write_text(json.dumps(avsc))

    def settle(self, **settings: Any) -> None:
        """Writes settings of the domain file."""
        file = self.relay.folder / "schemas" / self.relay.domain / "domain.yaml"
        file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **settings}))


@pytest.fixture(params=["registry_url", APICURIO])
def reviewed(
    request: pytest.FixtureRequest, make_relay: Callable[..., Relay]
) -> Iterator[Reviewed]:
    url = request.getfixturevalue(request.param)
    with RegistryClient(url) as registry:
        yield Reviewed(make_relay(registry_url=url), registry)


def test_check_reports_what_is_new_and_registers_nothing(reviewed: Reviewed) -> None:
    relay = reviewed.relay
    assert by_json(relay, *AGAINST_REGISTRY)["passed"]

    add_version(relay)

    report = by_json(relay, *AGAINST_REGISTRY)
    (found,) = report["versions"]
    assert report["passed"]
    assert (found["name"], found["status"]) == ("counted@2", "new")
    assert [one["with"] for one in found["comparisons"]] == [f"{reviewed.subject} version 1"]
    assert reviewed.versions == [1]


def test_check_names_the_rule_that_a_version_breaks(reviewed: Reviewed) -> None:
    add_version(reviewed.relay)
    reviewed.without_default(2)

    done = reviewed.relay.command("schemas", *AGAINST_REGISTRY)

    assert done.returncode == 1
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in done.stdout
    assert reviewed.versions == [1]


def test_check_misses_a_registered_version_whose_file_has_changed(reviewed: Reviewed) -> None:
    folder = reviewed.relay.folder / "schemas" / reviewed.relay.domain
    avsc = json.loads(reviewed.text(1))
    avsc["fields"].pop()
    (folder / "counted.v1.avsc").write_text(json.dumps(avsc))

    done = reviewed.relay.command("schemas", *AGAINST_REGISTRY, "--json")

    assert done.returncode == 1
    # A registry knows a version by its content alone: another content is another version.
    found = [(one["status"], one["passed"]) for one in json.loads(done.stdout)["versions"]]
    assert found == [("new", True), ("deleted", False)]


def test_register_brings_the_domains_level_and_each_version_once(reviewed: Reviewed) -> None:
    approve(reviewed.relay)
    reviewed.settle(compatibility="FULL")

    first = by_json(reviewed.relay, "register")
    again = by_json(reviewed.relay, "register")

    assert [(row["version"], row["new"]) for row in first] == [(1, False), (2, True)]
    assert again == [{**row, "new": False} for row in first]
    assert reviewed.versions == [1, 2]
    assert reviewed.registry.compatibility(reviewed.subject) == "FULL"


def test_register_names_the_file_that_the_registry_refuses(reviewed: Reviewed) -> None:
    add_version(reviewed.relay, state="approved")
    reviewed.without_default(2)
    approve(reviewed.relay, add=False)

    done = reviewed.relay.command("schemas", "register", "--json")

    assert done.returncode == 1
    assert "counted.v2.avsc is refused: incompatible under BACKWARD" in done.stderr
    assert [row["problem"] is None for row in json.loads(done.stdout)] == [True, False]
    assert reviewed.versions == [1]


def test_an_approved_version_is_registered_when_it_is_activated(reviewed: Reviewed) -> None:
    relay = reviewed.relay
    relay.publish("a", 1)
    add_version(relay)
    by_json(relay, "propose", "counted", "2", "--by", "anna")
    by_json(relay, "approve", "counted", "2", "--by", "ben", "--reason", "has a default")
    assert reviewed.versions == [1]

    done = by_json(relay, "activate", "counted", "2", "--by", "anna")

    assert (done["registered"], done["replaced"]) == (True, 1)
    found = reviewed.registry.lookup(reviewed.subject, reviewed.text(2))
    assert found is not None
    assert (found["id"], found["version"]) == (done["schemaId"], 2)
    # And events go out under the ids that the registry gave
    relay.publish("a", 2, unit="box")
    relay.must("run", "--until-idle")
    first, second = schema_ids(relay)
    assert reviewed.registry.schema(first) == json.loads(reviewed.text(1))
    assert second == done["schemaId"]


def test_a_version_that_the_registry_refuses_is_not_activated(reviewed: Reviewed) -> None:
    relay = reviewed.relay
    add_version(relay)
    reviewed.without_default(2)
    forced = ("--force", "--reason", "overlooked it")
    by_json(relay, "propose", "counted", "2", "--by", "anna", *forced)
    by_json(relay, "approve", "counted", "2", "--by", "ben", *forced)

    assert "incompatible under BACKWARD" in schemas(relay, "activate", "counted", "2", code=1)

    states = [one["state"] for one in by_json(relay, "history", "counted")["versions"]]
    assert states == ["active", "approved"]
    assert reviewed.versions == [1]


def approve(relay: Relay, *, add: bool = True) -> None:
    """Has version 2 of `counted` approved as its file stands. add: write that first."""
    if add:
        add_version(relay, state="approved")
    forced = ("--force", "--reason", "read")
    by_json(relay, "propose", "counted", "2", "--by", "anna", *forced)
    by_json(relay, "approve", "counted", "2", "--by", "ben", *forced)
