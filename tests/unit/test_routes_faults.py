"""What is raised while a route is looked for: an outage, or a fault of the rows that need it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from relay.errors import BrokerUnavailable, CatalogInvalid, RegistryUnavailable
from relay.publish.message import NotPublishable, Waiting
from relay.schema.catalog import State
from tests.unit.test_routes_review import (
    Registry,
    add_major,
    catalog_folder,
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
def test_an_outage_is_no_fault_of_any_row(catalog_folder: Path, error: Exception) -> None:
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

    monkeypatch.setattr("relay.publish.message.compile_encoder", fail)
    with pytest.raises(NotPublishable, match="no encoder"):
        routes_of(catalog_folder, decided_both)("cart.filled", 1, None)


def test_rows_wait_for_a_converter_whose_file_ends_the_program(catalog_folder: Path) -> None:
    add_major(catalog_folder, State.ACTIVE)
    (catalog_folder / "shop" / "cart_filled_v2.py").write_text("raise SystemExit(0)\n")
    with pytest.raises(Waiting, match="can't be run: SystemExit"):
        routes_of(catalog_folder, decided_both)("cart.filled", 1, None)
