"""SQL files: each is used by the package that it belongs to, and formulas have one home."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(
    folder
    for top in ("relay", "examples")
    for folder in (ROOT / top).rglob("queries")
    if folder.is_dir()
)

# These hash something other than an aggregate for its shard.
HASHES_OTHERS = {
    "relay/operate/queries/find_out_of_order.sql",
    "relay/operate/queries/read_timeline.sql",
}


def named_in(package: Path) -> Counter[str]:
    """How often the modules of a package name each SQL file; not those of packages inside it."""
    return Counter(
        node.value
        for module in package.glob("*.py")
        for node in ast.walk(ast.parse(module.read_text("utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.endswith(".sql")
    )


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_every_query_is_loaded_by_its_package_in_one_place(folder: Path) -> None:
    there = {file.name for file in folder.iterdir()}
    assert dict(named_in(folder.parent)) == dict.fromkeys(there, 1)


def test_no_package_loads_a_missing_query() -> None:
    with_queries = {folder.parent for folder in FOLDERS}
    packages = {file.parent for top in ("relay", "examples") for file in (ROOT / top).rglob("*.py")}
    own = {ROOT / "relay/postgres/migrations", ROOT / "relay/postgres/migrations/versions"}
    for package in packages - with_queries - own:
        assert not named_in(package), package


def test_only_the_schema_has_the_formula_of_a_shard() -> None:
    hashing = {
        str(file.relative_to(ROOT))
        for top in ("relay", "examples", "consumers")
        for pattern in ("*.sql", "*.py")
        for file in (ROOT / top).rglob(pattern)
        if "hashtextextended" in file.read_text("utf-8")
    }
    assert hashing == {"relay/postgres/schema.sql"} | HASHES_OTHERS
