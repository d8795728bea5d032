"""Programs that use a generated catalog, in a process of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def run_beside(folder: Path, program: str) -> None:
    """Runs a program that can import the catalog's folder; it must end with 0."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
