"""`relay registry serve` and `relay schemas register`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from relay.local.registry import LocalRegistry
from tests.commands import run_relay
from tests.integration.registry_servers import Asking, record

DATABASE = "EVENT_BUS_DATABASE_URL"
AWAY = "postgresql://nobody@127.0.0.1:9/x"
SUBJECT = "events.shop-relay.events.shop.CartFilled"


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    folder = tmp_path / "schemas"
    (folder / "shop").mkdir(parents=True)
    return folder


def write(folder: Path, states: dict[int, str], *texts: str, level: str = "FULL") -> None:
    """A domain `shop` with one event type, whose versions have these states and texts."""
    for number, text in enumerate(texts, 1):
        schema = {**json.loads(text), "name": "CartFilled", "namespace": "relay.events.shop"}
        (folder / "shop" / f"cart.filled.v{number}.avsc").write_text(json.dumps(schema))
    versions = ", ".join(f"{number}: {state}" for number, state in states.items())
    (folder / "shop" / "domain.yaml").write_text(
        f"domain: shop\nowner: Shop\ncompatibility: {level}\nevents:\n  cart.filled:\n"
        f"    aggregate: cart\n    versions: {{{versions}}}\n    consumers: [timeline]\n"
    )


def relay(
    *words: str, folder: Path | None = None, url: str = "", **more: str
) -> subprocess.CompletedProcess[str]:
    """Runs `relay ...`, with no database unless it is given by `more`."""
    settings = {"EVENT_BUS_SCHEMAS_DIR": str(folder), "EVENT_BUS_SCHEMA_REGISTRY_URL": url}
    others = {name: value for name, value in os.environ.items() if name != DATABASE}
    return run_relay(*words, environment={**others, **settings, **more})


@pytest.fixture
def registry(database_url: str, tmp_path: Path) -> LocalRegistry:
    return LocalRegistry(
        tmp_path / "registry", database_url=database_url, bootstrap_servers="127.0.0.1:9"
    )


def test_register_brings_reviewed_versions_and_the_level_once(
    catalog: Path, registry: LocalRegistry
) -> None:
    states = {1: "deprecated", 2: "active", 3: "proposed"}
    texts = record("a:int"), record("a:int", "b:int=0"), record("z:int")
    write(catalog, states, *texts)

    with registry:
        first = relay("schemas", "register", "--json", folder=catalog, url=registry.url)
        again = relay("schemas", "register", "--json", folder=catalog, url=registry.url)
        ask = Asking(registry.url)
        versions = ask("GET", f"/subjects/{SUBJECT}/versions")
        level = ask("GET", f"/config/{SUBJECT}")

    assert (first.returncode, again.returncode) == (0, 0), first.stderr
    rows, same = json.loads(first.stdout), json.loads(again.stdout)
    assert [(row["subject"], row["version"], row["new"]) for row in rows] == [
        (SUBJECT, 1, True),
        (SUBJECT, 2, True),
    ]
    assert same == [{**row, "new": False} for row in rows]
    assert versions == (200, [1, 2])
    assert level == (200, {"compatibilityLevel": "FULL"})


def test_register_uses_and_reports_the_domain_files_without_a_database(
    catalog: Path, registry: LocalRegistry
) -> None:
    write(catalog, {1: "active"}, record("a:int"))
    register = ("schemas", "register")

    with registry:
        none = relay(*register, folder=catalog, url=registry.url)
        away = relay(*register, folder=catalog, url=registry.url, **{DATABASE: AWAY})
        without = relay(
            *register, "--without-review", folder=catalog, url=registry.url, **{DATABASE: AWAY}
        )

    assert none.returncode == 0
    assert "no database is configured: only the domain files decided" in none.stderr
    assert (away.returncode, away.stdout, away.stderr.count("\n")) == (2, "", 1)
    assert "--without-review" in away.stderr
    assert without.returncode == 0
    assert "without a review: only the domain files" in without.stderr


def test_register_names_the_file_of_an_incompatible_schema_and_exits_1(
    catalog: Path, registry: LocalRegistry
) -> None:
    write(catalog, {1: "deprecated", 2: "active"}, record("a:int"), record("a:int", "b:int"))

    with registry:
        done = relay("schemas", "register", "--json", folder=catalog, url=registry.url)

    assert done.returncode == 1
    assert "cart.filled.v2.avsc" in done.stderr
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in done.stderr
    assert [row["id"] is None for row in json.loads(done.stdout)] == [False, True]


def test_register_without_a_registry_fails_with_one_line(catalog: Path) -> None:
    write(catalog, {1: "active"}, record("a:int"))

    done = relay("schemas", "register", folder=catalog, url="http://127.0.0.1:9")

    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "EVENT_BUS_SCHEMA_REGISTRY_URL" in done.stderr


def test_serve_on_a_taken_port_fails_with_one_line_and_exits_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = relay("registry", "serve", "--port", port, "--database-url", AWAY)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert port in done.stderr


def test_serve_starts_without_a_database_and_ends_well_on_sigterm() -> None:
    command = [sys.executable, "-m", "relay.cli.main", "registry", "serve", "--port", "0"]
    url = "postgresql://nobody@127.0.0.1:9/x"
    with subprocess.Popen(
        [*command, "--database-url", url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        line = server.stderr.readline()
        address = line.rsplit(" ", 1)[-1].strip()

        assert Asking(address).code("GET", "/subjects") == 50001

        server.send_signal(signal.SIGTERM)
        output, _ = server.communicate(timeout=15)
    assert server.returncode == 0
    assert output == ""


def test_serve_that_is_ended_as_soon_as_it_listens_ends() -> None:
    command = [sys.executable, "-m", "relay.cli.main", "registry", "serve", "--port", "0"]
    with subprocess.Popen(
        [*command, "--database-url", AWAY], stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        server.stderr.readline()

        server.send_signal(signal.SIGTERM)

        try:
            server.wait(timeout=15)
        finally:
            server.kill()
    assert server.returncode == 0


def test_serve_over_a_database_without_tables_names_the_command_that_creates_them(
    database: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "relay.cli.main", "registry", "serve", "--port", "0"]
    with subprocess.Popen(
        [*command, "--database-url", database], stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        address = server.stderr.readline().rsplit(" ", 1)[-1].strip()

        status, content = Asking(address)("GET", "/subjects")

        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=15)
    assert (status, content["error_code"]) == (503, 50001)
    assert "relay migrate" in content["message"]


def test_check_compares_with_what_is_registered_and_registers_nothing(
    catalog: Path, registry: LocalRegistry
) -> None:
    first, second, broken = record("a:int"), record("a:int", "b:int=0"), record("a:int", "b:int")
    words = ("schemas", "check", "--against-registry", "--json")

    with registry:
        write(catalog, {1: "active"}, first)
        relay("schemas", "register", folder=catalog, url=registry.url)
        same = relay(*words, folder=catalog, url=registry.url)
        write(catalog, {1: "active", 2: "proposed"}, first, second)
        compatible = relay(*words, folder=catalog, url=registry.url)
        write(catalog, {1: "active", 2: "proposed"}, first, broken)
        incompatible = relay(*words, folder=catalog, url=registry.url)
        versions = Asking(registry.url)("GET", f"/subjects/{SUBJECT}/versions")

    assert (same.returncode, json.loads(same.stdout)["versions"]) == (0, []), same.stderr
    [passed] = json.loads(compatible.stdout)["versions"]
    assert (compatible.returncode, passed["status"]) == (0, "new")
    assert [one["with"] for one in passed["comparisons"]] == [f"{SUBJECT} version 1"]
    assert incompatible.returncode == 1
    assert versions == (200, [1])
