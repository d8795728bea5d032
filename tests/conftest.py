"""Fixtures: one PostgreSQL and one Kafka a run, a database of its own for every test."""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import stack
from tests.confluent_java import ConfluentJava
from tests.relaying import Relay, create_relay

_TESTS = Path(__file__).parent
_OWN_FOLDER = pytest.StashKey[Path]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Gives each run temporary folders of its own.

    pytest closes its usual folder to other accounts whenever a run begins, and PostgreSQL, which
    does not run as root, would lose its data in the middle of another run.
    """
    if config.option.basetemp is None:
        config.option.basetemp = tempfile.mkdtemp(prefix="relay-tests-")
        config.stash[_OWN_FOLDER] = Path(config.option.basetemp)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the long tests first, so that no process is left with one of them at the end."""
    kinds = ("acceptance", "integration", "unit")
    items.sort(key=lambda item: kinds.index(item.path.relative_to(_TESTS).parts[0]))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Leaves the temporary folders only where something failed."""
    folder = session.config.stash.get(_OWN_FOLDER, None)
    if folder is not None and exitstatus == 0:
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The run's PostgreSQL. Tests that kill or freeze a server start one of their own."""
    with stack.running_postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The run's Kafka. Tests that kill or freeze a broker start one of their own."""
    with stack.running_kafka(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@pytest.fixture(scope="session")
def migrated_template(postgres_server: stack.Database) -> str:
    """Name of a database with all migrations, to be copied."""
    from relay.postgres.migrate import migrate

    name = "migrated"
    migrate(postgres_server.create_database(name))
    stack.forbid_connections(postgres_server.url_of("postgres"), name)
    return name


@pytest.fixture
def database_url(postgres_server: stack.Database, migrated_template: str) -> Iterator[str]:
    """URL of a migrated database that only this test uses."""
    name = _unused()
    yield postgres_server.create_database(name, template=migrated_template)
    postgres_server.drop_database(name)


@pytest.fixture
def database(postgres_server: stack.Database) -> Iterator[str]:
    """URL of an empty database that only this test uses."""
    name = _unused()
    yield postgres_server.create_database(name)
    postgres_server.drop_database(name)


@pytest.fixture
def bootstrap_servers(kafka_server: stack.Broker) -> str:
    """The run's Kafka, `host:port`; topics are to be named with `unique_name`."""
    return kafka_server.bootstrap_servers


@pytest.fixture(scope="session")
def registry_url(
    postgres_server: stack.Database,
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The run's embedded registry, on a database of its own."""
    from relay.local.registry import LocalRegistry

    name = _unused()
    registry = LocalRegistry(
        tmp_path_factory.mktemp("registry"),
        database_url=postgres_server.create_database(name, template=migrated_template),
        bootstrap_servers="127.0.0.1:9",
    )
    registry.start()
    yield registry.url
    registry.stop()
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def apicurio_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Confluent's API of the run's Apicurio; for tests that run only when it is asked for."""
    from tests.apicurio import LocalApicurio

    server = LocalApicurio(tmp_path_factory.mktemp("apicurio"))
    server.launch()
    # Its Java compiles for half a minute where the machine has little to spare.
    server.await_ready(timeout=180.0)
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def mypy_cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder in which mypy keeps what it knows of libraries from one test to the next."""
    return str(tmp_path_factory.mktemp("mypy"))


@pytest.fixture(scope="session")
def java() -> ConfluentJava:
    """Confluent's client for Java; for tests that run only when it is asked for."""
    return ConfluentJava()


@pytest.fixture
def unique_name(request: pytest.FixtureRequest) -> str:
    """A name that no other test and no other run uses: for topics, relays and groups."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    return f"{words[:30].strip('-')}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def until() -> Callable[..., Any]:
    """The function `tests.stack.until`, for tests that prefer a fixture."""
    return stack.until


@pytest.fixture
def stack_dir(tmp_path: Path) -> Path:
    """A folder for servers of the test's own."""
    return tmp_path / "stack"


@pytest.fixture
def make_relay(
    database_url: str,
    bootstrap_servers: str,
    registry_url: str,
    unique_name: str,
    tmp_path: Path,
) -> Iterator[Callable[..., Relay]]:
    """Creates the test's relay; keywords are settings, in small letters, or servers' addresses."""
    made: list[Relay] = []

    def make(**settings: str) -> Relay:
        addresses = {
            "database_url": database_url,
            "bootstrap_servers": bootstrap_servers,
            "registry_url": registry_url,
        }
        given = {key: settings.pop(key, value) for key, value in addresses.items()}
        made.append(create_relay(tmp_path, unique_name, **given, **settings))
        return made[-1]

    yield make
    for relay in made:
        relay.end_all()


@pytest.fixture
def relay(make_relay: Callable[..., Relay]) -> Relay:
    """A migrated relay with its schemas registered; nothing runs yet."""
    return make_relay()


def _unused() -> str:
    return f"test_{uuid.uuid4().hex[:12]}"
