"""docs/hazards.md has a row for every hazard that is cited, and names tests that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HAZARDS = (ROOT / "docs" / "hazards.md").read_text()
ROW = re.compile(r"^\| (H\d+) \|(.*)\|(.*)\|(.*)\|$", re.MULTILINE)
ROWS = {found[1]: found[4] for found in ROW.finditer(HAZARDS)}
CITED = re.compile(r"\bH\d{1,2}\b")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
FOLDERS = ("relay", "schemas", "consumers", "examples", "tests", "docs")
SUFFIXES = {".py", ".sql", ".md", ".toml"}


def sources() -> Iterator[Path]:
    """Every file in which a hazard may be cited."""
    for folder in FOLDERS:
        yield from (path for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES)
    yield from ROOT.glob("*.md")


def test_every_hazard_that_is_cited_has_a_row() -> None:
    missing = {
        f"{path.relative_to(ROOT)}: {number}"
        for path in sources()
        for number in CITED.findall(path.read_text())
        if number not in ROWS
    }
    assert not missing


@pytest.mark.parametrize(("file", "test"), sorted(set(TEST.findall(HAZARDS))))
def test_every_test_that_is_named_exists(file: str, test: str) -> None:
    content = ast.parse((ROOT / file).read_text())
    assert test in {node.name for node in content.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("number", ROWS)
def test_every_hazard_is_held_by_a_test_or_open(number: str) -> None:
    assert TEST.search(ROWS[number]) or "**open**" in ROWS[number]


def test_no_hazard_has_two_rows() -> None:
    numbers = [found[1] for found in ROW.finditer(HAZARDS)]
    assert len(numbers) == len(set(numbers))
