"""Activating a version: at a real registry first, and nothing is registered that can't be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from relay.schema.approvals.registration import activate
from relay.schema.catalog import SchemaVersion, State
from relay.schema.client.client import RegistryClient
from tests.integration.reviewing import Connection, bring, states, version


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def registry(registry_url: str) -> Iterator[RegistryClient]:
    with RegistryClient(registry_url) as registry:
        yield registry


@pytest.fixture
def subject(unique_name: str) -> str:
    return f"{unique_name}-relay.events.tests.OrderNoted"


def of(subject: str, number: int, *fields: dict[str, Any], **more: Any) -> SchemaVersion:
    """A version under a subject of the test's own, with these fields besides the first."""
    first = {"name": "orderId", "type": "string"}
    avsc = {
        "type": "record",
        "name": "OrderNoted",
        "namespace": "relay.events.tests",
        "fields": [first, *fields],
        **more,
    }
    return replace(version(number, avsc), subject=subject)


NOTE = {"name": "note", "type": "string", "default": ""}


def test_an_approved_version_is_registered_and_takes_the_place_of_its_subject_s_active_one(
    connection: Connection, registry: RegistryClient, subject: str
) -> None:
    first, second = of(subject, 1), of(subject, 2, NOTE)
    major = replace(version(3), subject=f"{subject}2")
    bring(connection, major, State.APPROVED)
    done = activate(connection, registry, major, "BACKWARD", "anna", None)
    assert done is not None
    assert done.problem is None
    bring(connection, first, State.APPROVED)
    done = activate(connection, registry, first, "BACKWARD", "anna", None)
    assert done is not None
    assert (done.new, done.replaced) == (True, None)

    bring(connection, second, State.APPROVED)
    done = activate(connection, registry, second, "BACKWARD", "anna", None)
    assert done is not None
    found = registry.lookup(subject, second.text)
    assert found is not None
    assert (found["id"], done.replaced) == (done.schema_id, 1)
    assert states(connection) == {1: "deprecated", 2: "active", 3: "active"}


@pytest.mark.parametrize("state", [None, State.PROPOSED, State.ACTIVE, State.RETIRED])
def test_nothing_is_registered_of_a_version_that_can_t_be_activated(
    connection: Connection, registry: RegistryClient, subject: str, state: State | None
) -> None:
    wanted = of(subject, 1)
    if state is not None:
        bring(connection, wanted, state)
    assert activate(connection, registry, wanted, "BACKWARD", "anna", None) is None
    assert registry.lookup(subject, wanted.text) is None


def test_nothing_is_registered_of_another_text_than_the_approved_one(
    connection: Connection, registry: RegistryClient, subject: str
) -> None:
    bring(connection, of(subject, 1), State.APPROVED)
    other = of(subject, 1, doc="nobody has read this")
    assert activate(connection, registry, other, "BACKWARD", "anna", None) is None
    assert registry.lookup(subject, other.text) is None
    assert states(connection) == {1: "approved"}


def test_a_version_that_the_registry_refuses_stays_approved(
    connection: Connection, registry: RegistryClient, subject: str
) -> None:
    first, broken = of(subject, 1), of(subject, 2, {"name": "note", "type": "string"})
    bring(connection, first, State.APPROVED)
    activate(connection, registry, first, "BACKWARD", "anna", None)
    bring(connection, broken, State.APPROVED)
    refused = activate(connection, registry, broken, "BACKWARD", "anna", None)
    assert refused is not None
    assert "incompatible under BACKWARD" in (refused.problem or "")
    assert states(connection) == {1: "active", 2: "approved"}
