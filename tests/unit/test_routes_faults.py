"""What is raised while a route is looked for: an outage, or a fault of the rows that need it."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest

from relay.errors import BrokerUnavailable, CatalogInvalid, RegistryUnavailable
from relay.kafka.topics import TopicState
from relay.publish.message import NotPublishable, Waiting
from relay.schema.catalog import State
from tests.unit.test_routes_review import (
    Registry,
    add_major,
    catalog_folder,
    decided,
    decided_both,
    routes_of,
)

__all__ = ["catalog_folder"]


class Failing(Registry):
    """A registry's client that raises what it is given."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def id_of(self, *_: Any) -> int:
        raise self._error


@pytest.mark.parametrize(
    "error",
    [
        RegistryUnavailable("away"),
        BrokerUnavailable("away"),
        psycopg.OperationalError("away"),
        psycopg.errors.ReadOnlySqlTransaction("for a while"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_outage_is_not_a_fault_of_any_row(catalog_folder: Path, error: Exception) -> None:
    routes = routes_of(catalog_folder, decided_both, registry=Failing(error))
    with pytest.raises(type(error)):
        routes("cart.filled", 1, None)


@pytest.mark.parametrize("error", [RuntimeError("odd"), SystemExit(2)], ids=["error", "exit"])
def test_anything_else_is_a_fault_of_that_kind_of_rows(
    catalog_folder: Path, error: BaseException
) -> None:
    routes = routes_of(catalog_folder, decided_both, registry=Failing(error))
    with pytest.raises(NotPublishable, match=f"cart.filled can't .*{type(error).__name__}"):
        routes("cart.filled", 1, None)


def test_an_encoder_that_can_not_be_compiled_is_a_fault_of_its_rows(
    catalog_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise CatalogInvalid("this schema has no encoder")

    monkeypatch.setattr("relay.publish.routes.compile_text_encoder", fail)
    with pytest.raises(NotPublishable, match="no encoder"):
        routes_of(catalog_folder, decided_both)("cart.filled", 1, None)


def test_rows_wait_for_a_converter_whose_file_ends_the_program(catalog_folder: Path) -> None:
    add_major(catalog_folder, State.ACTIVE)
    (catalog_folder / "shop" / "cart_filled_v2.py").write_text("raise SystemExit(0)\n")
    with pytest.raises(Waiting, match="can't be run: SystemExit"):
        routes_of(catalog_folder, decided_both)("cart.filled", 1, None)


def test_a_kind_of_rows_that_waits_for_the_registry_stops_no_other(catalog_folder: Path) -> None:
    # Given a registry that does not answer for one kind of rows
    asked, answers = threading.Event(), threading.Event()

    class Hanging(Registry):
        def id_of(self, *arguments: Any) -> int:
            if threading.current_thread() is waiting:
                asked.set()
                assert answers.wait(20)
            return super().id_of(*arguments)

    both = {1: State.ACTIVE, 2: State.DEPRECATED}
    routes = routes_of(catalog_folder, lambda _: decided(both), registry=Hanging())
    waiting = threading.Thread(target=lambda: routes("cart.filled", 1, None))
    waiting.start()
    assert asked.wait(20)
    # Then others have their routes, those of what is looked for again every few seconds too
    found = []
    other = threading.Thread(target=lambda: found.append(routes("cart.filled", 2, None)))
    routes._in_use_until = 0.0
    other.start()
    other.join(10)
    assert found
    answers.set()
    waiting.join(20)


def test_a_route_that_was_found_while_all_were_discarded_is_not_kept(catalog_folder: Path) -> None:
    class Discarding(Registry):
        calls = 0

        def id_of(self, *arguments: Any) -> int:
            Discarding.calls += 1
            if Discarding.calls == 1:
                routes.forget()
            return super().id_of(*arguments)

    routes = routes_of(catalog_folder, decided_both, registry=Discarding())
    routes("cart.filled", 1, None)
    routes("cart.filled", 1, None)
    assert Discarding.calls == 2
    routes("cart.filled", 1, None)
    assert Discarding.calls == 2


def test_rows_wait_for_the_right_to_write_to_their_topic(catalog_folder: Path) -> None:
    states = {"events.shop": TopicState(4, 1_000_000, "delete", may_write=False)}
    routes = routes_of(catalog_folder, decided_both)
    routes._topic_states = lambda: states
    routes.forget()
    with pytest.raises(Waiting, match="grant it Write"):
        routes("cart.filled", 1, None)
    # When it is granted
    states["events.shop"] = TopicState(4, 1_000_000, "delete")
    routes._read_at = -math.inf
    routes._not_there.clear()
    assert routes("cart.filled", 1, None).topic == "events.shop"
