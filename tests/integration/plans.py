"""The plans of statements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import psycopg

from relay.postgres.sqlfile import load

__all__ = ["buffers", "plan", "removed", "scans"]


def plan(
    connection: psycopg.Connection[Any], package: str, query: str, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Runs a query of the relay and rolls it back; how it was done."""
    with connection.transaction(force_rollback=True):
        found = connection.execute(
            b"explain (analyze, buffers, format json) " + load(package, query), parameters
        ).fetchone()
    assert found is not None
    top: dict[str, Any] = found[0][0]["Plan"]
    return top


def scans(top: Mapping[str, Any], least: int = 1_000) -> list[str]:
    """What a plan read from its beginning to its end: tables by a sequential scan, and indexes
    without a condition, with more than `least` rows."""
    return [
        f"{node['Node Type']} of {node.get('Relation Name')}, {rows} rows"
        for node in _nodes(top)
        if "Relation Name" in node
        and node["Node Type"] in {"Seq Scan", "Index Scan", "Index Only Scan"}
        and "Index Cond" not in node
        and "Order By" not in node
        and (rows := _rows(node)) > least
    ]


def buffers(top: Mapping[str, Any]) -> int:
    """Pages that a statement touched."""
    return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])


def _rows(node: Mapping[str, Any]) -> int:
    each = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    return int(each * node["Actual Loops"])


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


def removed(top: Mapping[str, Any]) -> Iterator[int]:
    """Rows that each step of a plan looked at and dropped."""
    for node in _nodes(top):
        dropped = sum(each for name, each in node.items() if name.startswith("Rows Removed"))
        yield int(dropped * node["Actual Loops"])
