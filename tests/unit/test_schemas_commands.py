"""`relay schemas diff` and `relay schemas lint`, with files and with the catalog."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from relay.cli.schemas import app
from relay.errors import CatalogInvalid, ConfigurationInvalid
from tests.unit.review_schemas import decimal, record, timestamp

DOMAIN = """\
domain: orders
owner: OrdersService
events:
  order.paid:
    aggregate: order
    versions: {1: deprecated, 2: active}
    consumers: [timeline]
"""
FIRST = record(
    {"name": "amount", "type": decimal(12, 2), "doc": "Amount paid."},
    {"name": "currency", "type": "string", "doc": "ISO 4217."},
    namespace="relay.events.orders",
    doc="Paid.",
)
SECOND = {
    **FIRST,
    "fields": [
        *FIRST["fields"],
        {"name": "paidAt", "type": timestamp("micros"), "doc": "When.", "default": 0},
    ],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalog with two versions of order.paid, where the command line finds it."""
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "domain.yaml").write_text(DOMAIN)
    write(tmp_path, FIRST, SECOND)
    monkeypatch.setenv("EVENT_BUS_SCHEMAS_DIR", str(tmp_path))
    return tmp_path


def write(folder: Path, *versions: Any) -> None:
    for number, version in enumerate(versions, 1):
        path = folder / "orders" / f"order.paid.v{number}.avsc"
        path.write_text(json.dumps(version))


def schemas(*words: str | Path) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.usefixtures("folder")
def test_diff_compares_versions_of_the_catalog() -> None:
    result = schemas("diff", "order.paid@1", "order.paid@2")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "order.paid@1 -> order.paid@2: 1 change",
        "+ field-added            `paidAt` is new: timestamp-micros, default 0.",
    ]


def test_diff_compares_files_with_the_active_version(folder: Path) -> None:
    file = folder / "orders" / "order.paid.v1.avsc"

    document = json.loads(schemas("diff", "order.paid", file, "--format", "json").stdout)

    assert (document["old"], document["new"]) == ("order.paid@2", str(file))
    assert [change["kind"] for change in document["changes"]] == ["field-removed"]


@pytest.mark.usefixtures("folder")
def test_diff_prints_the_same_document_for_json_and_markdown_for_pull_requests() -> None:
    pair = ("order.paid@1", "order.paid@2")

    assert (
        schemas("diff", *pair, "--json").stdout == schemas("diff", *pair, "--format", "json").stdout
    )
    assert schemas("diff", *pair, "--format", "markdown").stdout == (
        "### order.paid@1 → order.paid@2: 1 change\n\n"
        "- **field-added** `paidAt` is new: timestamp-micros, default 0.\n"
    )


def test_files_need_no_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENT_BUS_SCHEMAS_DIR", str(tmp_path / "nowhere"))
    file = tmp_path / "a.avsc"
    file.write_text(json.dumps(FIRST))

    assert "no changes" in schemas("diff", file, file).stdout
    assert schemas("lint", file).exit_code == 0


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("order.paid@3", "no schema version 3"),
        ("order.paid@latest", "is not a version"),
        ("order.gone@1", "not in the catalog"),
        ("missing.avsc", "does not exist"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_word_that_does_not_name_a_schema_is_bad_use(word: str, reason: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=reason) as caught:
        schemas("diff", "order.paid@1", word)

    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ["{", '{"type": "record", "name": "A"}', '"nothing"'])
def test_a_file_that_is_not_a_schema_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bad.avsc"
    file.write_text(text)

    result = schemas("lint", file)
    assert (result.exit_code, "bad.avsc" in result.stdout) == (1, True)
    with pytest.raises(CatalogInvalid, match=r"bad\.avsc"):
        schemas("diff", file, file)


@pytest.mark.usefixtures("folder")
def test_lint_finds_nothing_in_a_well_made_catalog() -> None:
    result = schemas("lint")

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "2 schemas, 0 errors, 0 warnings\n"


def test_lint_finds_what_changed_between_versions_and_exits_with_1(folder: Path) -> None:
    amount, *rest = SECOND["fields"]
    write(folder, FIRST, {**SECOND, "fields": [{**amount, "type": decimal(12, 4)}, *rest]})

    result = schemas("lint", "--json")

    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert {key: document[key] for key in ("schemas", "errors", "warnings")} == {
        "schemas": 2, "errors": 1, "warnings": 0,
    }  # fmt: skip
    assert document["findings"][0]["schema"] == "order.paid@2"
    assert document["findings"][0]["rule"] == "decimal-scale"
    assert document["findings"][0]["path"] == "$.amount"
    assert schemas("lint", "order.paid@1").exit_code == 0
    assert schemas("lint", "order.paid@2").exit_code == 1


def test_warnings_are_not_errors(folder: Path) -> None:
    write(folder, {**FIRST, "doc": ""}, SECOND)

    result = schemas("lint", "order.paid")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "order.paid@1"
    assert "warning missing-doc at $: The record OrderPaid has no doc." in result.stdout


def test_lint_takes_a_folder_and_looks_at_each_file_once(folder: Path) -> None:
    file = folder / "orders" / "order.paid.v1.avsc"

    document = json.loads(schemas("lint", "--json", folder, file, "order.paid").stdout)

    assert document["schemas"] == 2


def test_lint_goes_on_after_a_file_that_can_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.avsc").write_text("{")
    (tmp_path / "b.avsc").write_bytes(b"\xff")
    (tmp_path / "c.avsc").write_text('{"type": "record", "name": "R"}')
    (tmp_path / "d.avsc").write_text('{"type": "enum", "name": "State", "symbols": ["NEW"]}')

    result = schemas("lint", "--json", tmp_path)

    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert (document["schemas"], document["errors"]) == (4, 3)
    rules = {Path(found["schema"]).name: found["rule"] for found in document["findings"]}
    assert rules == {
        **dict.fromkeys(["a.avsc", "b.avsc", "c.avsc"], "unreadable"),
        "d.avsc": "missing-doc",
    }
    assert "the record has no list of 'fields'" in str(document["findings"])


def test_an_empty_folder_is_bad_use(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationInvalid, match=r"has no \.avsc file"):
        schemas("lint", tmp_path)
