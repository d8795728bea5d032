"""Every library is of the base install or of an extra, and its absence names the extra."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from relay.cli.failures import EXTRAS, explain

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Importable name -> name of the package, where they differ.
PACKAGES = {
    "confluent_kafka": "confluent-kafka",
    "psycopg_pool": "psycopg-pool",
    "pydantic_settings": "pydantic-settings",
    "yaml": "pyyaml",
}
BASE = {"fastavro", "opentelemetry", "orjson", "psycopg", "pydantic_settings", "pydantic"}


def named(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=]", requirement)[0] for requirement in requirements}


def imported() -> set[str]:
    """Top-level modules of other packages that the engine imports anywhere."""
    found: set[str] = set()
    for file in (ROOT / "relay").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - {"relay"}


def test_every_imported_library_is_of_the_base_or_of_an_extra() -> None:
    assert imported() == BASE | EXTRAS.keys()


def test_the_extras_bring_the_libraries_that_are_reported_as_theirs() -> None:
    extras = PROJECT["optional-dependencies"]

    for name, extra in EXTRAS.items():
        assert PACKAGES.get(name, name) in named(extras[extra]), name
    # opentelemetry-api has another name; pydantic comes with its settings.
    base = {PACKAGES.get(name, name) for name in BASE - {"opentelemetry", "pydantic"}}
    assert named(PROJECT["dependencies"]) == base | {"opentelemetry-api"}


def test_a_missing_module_that_no_extra_brings_is_not_explained() -> None:
    assert explain(ModuleNotFoundError("", name="somebodys_module")) is None


@pytest.mark.parametrize(
    ("missing", "command", "extra"),
    [
        ("typer", "status", "cli"),
        ("typer", "--help", "cli"),
        ("yaml", "schemas list", "cli"),
        ("confluent_kafka", "run", "worker"),
        ("confluent_kafka", "status --json", "worker"),
        ("starlette", "registry serve", "registry"),
        ("psutil", "stack up", "local"),
    ],
)
def test_a_command_whose_extra_is_missing_names_it_in_one_line(
    missing: str, command: str, extra: str
) -> None:
    done = run_without([missing], *command.split())

    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert f"needs {missing}" in line
    assert f"outbox-relay[{extra}]" in line


def test_help_lists_the_commands_that_are_not_installed_with_their_extra() -> None:
    done = run_without(["confluent_kafka", "starlette", "psutil"], "--help")

    assert done.returncode == 0, done.stderr
    assert "outbox-relay[worker]" in done.stdout
    assert "schemas" in done.stdout


def run_without(modules: list[str], *words: str) -> subprocess.CompletedProcess[str]:
    """Runs `relay` where some modules are not installed."""
    program = f"""
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in {modules!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
sys.argv = ["relay", *{list(words)!r}]
from relay.cli.main import main
main()
"""
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "COLUMNS": "300"},
    )
