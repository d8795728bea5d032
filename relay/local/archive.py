"""An archive of Kafka's loaded classes, with which Java starts it in a third of the time.

Recorded once for each Java, see relay.local.provision. From Java 25 it is the cache of
JEP 514, before that the dynamic class data archive of JEP 350.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from relay.local.java import Java

__all__ = ["archive_file", "recording_options", "using_options"]

_FIRST_WITH_AOT_CACHE = 25


def archive_file(home: Path, java: Java) -> Path:
    """Where the archive for `java` lies in Kafka's folder; may not exist."""
    key = hashlib.sha256(f"{java.launcher.resolve()} {java.build}".encode()).hexdigest()[:12]
    return home / f"classes-{java.version}-{key}.archive"


def using_options(home: Path, java: Java) -> list[str]:
    """Java's options to start from the archive; none when it was not recorded.

    Java itself ignores an archive that does not fit it.
    """
    archive = archive_file(home, java)
    if not archive.exists() or archive.stat().st_size == 0:
        return []
    if java.version >= _FIRST_WITH_AOT_CACHE:
        return [f"-XX:AOTCache={archive}", "-Xlog:aot=off"]
    return [f"-XX:SharedArchiveFile={archive}", "-Xlog:cds=off"]


def recording_options(target: Path, java: Java) -> list[str]:
    """Java's options to write the archive to `target` when it ends."""
    if java.version >= _FIRST_WITH_AOT_CACHE:
        return [f"-XX:AOTCacheOutput={target}", "-Xlog:aot=off"]
    return [f"-XX:ArchiveClassesAtExit={target}", "-Xlog:cds=off"]
