"""`relay schemas export`: to standard output, to files, and checked for staleness."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from relay.cli.schemas import app
from relay.errors import ConfigurationInvalid
from tests.unit.test_catalog import ORDERS, avsc


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalog with the single event type order.paid, and nothing else configured."""
    schemas = tmp_path / "schemas"
    (schemas / "orders").mkdir(parents=True)
    (schemas / "orders" / "domain.yaml").write_text(ORDERS)
    (schemas / "orders" / "order.paid.v1.avsc").write_text(json.dumps(avsc()))
    monkeypatch.setenv("EVENT_BUS_SCHEMAS_DIR", str(schemas))
    monkeypatch.delenv("EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.chdir(tmp_path)
    return schemas


def export(*options: str) -> Result:
    return CliRunner().invoke(app, ["export", *options])


def change(folder: Path) -> None:
    file = folder / "orders" / "order.paid.v1.avsc"
    file.write_text(file.read_text().replace("amount", "sum"))


def test_json_documents_go_to_standard_output_alone() -> None:
    document = json.loads(export("--asyncapi").stdout)
    schemas = json.loads(export("--json-schema").stdout)

    assert document["asyncapi"] == "3.0.0"
    assert list(schemas) == ["order.paid.v1"]
    assert schemas["order.paid.v1"]["required"] == ["amount"]


def test_servers_come_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS", "broker:9092")

    document = json.loads(export("--asyncapi").stdout)

    assert document["servers"]["kafka"]["host"] == "broker:9092"


@pytest.mark.parametrize(
    ("kind", "output", "file"),
    [
        ("--asyncapi", "out/asyncapi.json", "out/asyncapi.json"),
        ("--markdown", "out/catalog.md", "out/catalog.md"),
        ("--json-schema", "out", "out/order.paid.v1.schema.json"),
    ],
)
def test_check_names_the_stale_file_and_writes_nothing(
    folder: Path, kind: str, output: str, file: str
) -> None:
    assert export(kind, "--output", output, "--check").exit_code == 1
    assert not Path(file).exists()
    assert export(kind, "--output", output).stdout == f"{file}\n"
    assert export(kind, "--output", output).stdout == ""
    assert export(kind, "--output", output, "--check").exit_code == 0
    change(folder)
    before = Path(file).read_text()

    result = export(kind, "--output", output, "--check")

    assert result.exit_code == 1
    assert result.stdout == f"{file}\n"
    assert "stale" in result.stderr
    assert Path(file).read_text() == before


def test_check_names_files_of_versions_that_are_gone() -> None:
    export("--json-schema", "--output", "out")
    Path("out/order.lost.v1.schema.json").write_text("{}")

    result = export("--json-schema", "--output", "out", "--check")

    assert result.exit_code == 1
    assert "out/order.lost.v1.schema.json belongs to no version" in result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "Give one of"),
        (("--asyncapi", "--markdown"), "Give one of"),
        (("--markdown", "--check"), "--output"),
        (("--json-schema", "--output", "schemas/orders/domain.yaml"), "is a file"),
        (("--markdown", "--output", "schemas"), "can't be written"),
    ],
)
def test_bad_use_is_refused_with_what_to_do(options: tuple[str, ...], words: str) -> None:
    error = export(*options).exception

    assert isinstance(error, ConfigurationInvalid)
    assert error.exit_code == 2
    assert words in str(error)
