"""Prints a run's document as tables."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

__all__ = ["print_report"]


def print_report(document: dict[str, Any], console: Console) -> None:
    """Prints the machine, then one table per scenario."""
    machine = document["machine"]
    console.print(
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_mb']} MB, "
        f"{machine['system']}, Python {machine['python']}",
        highlight=False,
    )
    for entry in document["scenarios"]:
        table = Table(
            title=entry["name"],
            title_justify="left",
            show_header=False,
            show_edge=False,
            min_width=60,
        )
        table.add_column(no_wrap=True)
        table.add_column(justify="right")
        table.caption = _settings(entry)
        table.caption_justify = "left"
        if entry["error"] is not None:
            table.add_row("failed", entry["error"])
        for name, value in _flat(entry["figures"] or {}):
            table.add_row(name.replace("_", " "), _number(value))
        console.print(table)
        console.print()


def _settings(entry: dict[str, Any]) -> str:
    settings = {
        **entry["settings"],
        "python score": entry["python_score_before"],
        "load": entry["load_before"],
    }
    return ", ".join(f"{name.replace('_', ' ')} {_number(it)}" for name, it in settings.items())


def _flat(figures: dict[str, Any]) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in figures.items():
        if isinstance(value, dict):
            rows += [(f"{name}, {part}", figure) for part, figure in value.items()]
        else:
            rows.append((name, value))
    return rows


def _number(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int | float) else str(value)
