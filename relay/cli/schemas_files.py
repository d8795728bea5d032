"""How the commands that write files say which they wrote, and which are stale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from relay.cli.schemas_output import note

__all__ = ["say_stale", "say_written"]


def say_written(paths: Sequence[Path]) -> None:
    """Names what was written."""
    for path in paths:
        print(path)
    note(f"{len(paths)} files written")


def say_stale(paths: Sequence[Path], kind: str, fix: str) -> bool:
    """Names what is stale; whether anything is. kind: of file; fix: what to do."""
    for path in paths:
        print(path)
    if paths:
        note(f"relay: {len(paths)} {kind} files are stale. {fix}")
    return bool(paths)
