"""What people see while the demo runs: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from examples.shop.demo.counts import Counts

__all__ = ["Screen"]

PLAIN_WIDTH: Final = 100
PLAIN_EVERY_S: Final = 2.0


class Screen:
    """Prints phases, notes and progress; measures how long each phase takes.

    phases: (title, seconds) of those that have ended.
    """

    def __init__(self, console: Console | None = None) -> None:
        console = console or Console()
        if not console.is_terminal:
            console = Console(file=console.file, width=PLAIN_WIDTH)
        self._console = console
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._next_line = 0.0
        self.phases: list[tuple[str, float]] = []

    @contextmanager
    def phase(self, title: str) -> Iterator[None]:
        """One step of the story."""
        self._console.print(f"[bold]{len(self.phases) + 1}. {title}[/bold]")
        begun = time.monotonic()
        try:
            yield
        finally:
            self._end_bars()
            self.phases.append((title, time.monotonic() - begun))
        self._console.print(f"   [dim]{time.monotonic() - begun:.1f} s[/dim]")

    def note(self, text: str) -> None:
        """Something that has just happened."""
        self._console.print(f"   {text}", highlight=False, soft_wrap=True)

    def show(self, renderable: RenderableType) -> None:
        """A table or the like."""
        self._console.print(renderable)

    def progress(self, counts: Counts) -> None:
        """How far everything is."""
        if self._console.is_terminal:
            self._move_bars(counts)
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + PLAIN_EVERY_S
            self.note(counts.describe())

    def close(self) -> None:
        """Leaves the terminal as it was."""
        self._end_bars()

    def _move_bars(self, counts: Counts) -> None:
        if self._bars is None:
            self._bars = Progress(
                TextColumn("   {task.description:12}"),
                BarColumn(),
                MofNCompleteColumn(),
                console=self._console,
                transient=True,
                # Without a thread of its own it can't outlive or disturb anything.
                auto_refresh=False,
            )
            self._bars.start()
            self._tasks = {}
        done = {"published": (counts.published, counts.events)}
        done |= {name: (group.consumed, group.wanted) for name, group in counts.groups.items()}
        for name, (completed, total) in done.items():
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(name, total=None)
            self._bars.update(self._tasks[name], completed=completed, total=max(total, 1))
        self._bars.refresh()

    def _end_bars(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
