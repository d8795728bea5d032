"""Fetches Kafka's libraries once, into a folder that all stacks of the machine share."""

from __future__ import annotations

import errno
import fcntl
import shutil
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from relay.errors import StackFailed
from relay.local.settings import LocalSettings

__all__ = ["KAFKA_VERSION", "kafka_home", "kafka_libraries"]

KAFKA_VERSION = "4.3.1"

# Each is resolved alone: resolved together they come out with versions Kafka was not built for.
_COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    "org.slf4j:slf4j-simple:1.7.36",  # without a binding of slf4j Kafka logs nothing
)
_ATTEMPTS = 4
_DOWNLOADS_AT_ONCE = 4

Subject = TypeVar("Subject")
Found = TypeVar("Found")


def kafka_home() -> Path:
    """The folder of this Kafka version in the cache; may not exist yet."""
    return LocalSettings().cache_dir.expanduser() / f"kafka-{KAFKA_VERSION}"


def kafka_libraries() -> Path:
    """The folder with Kafka's jars, downloaded when it is not there yet.

    Progress goes to standard error.
    A download that was cut off is taken up again; two at once wait for each other.
    Raises StackFailed.
    """
    home = kafka_home()
    libraries = home / "lib"
    if libraries.is_dir():
        return libraries
    try:
        home.mkdir(parents=True, exist_ok=True)
        with (home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not libraries.is_dir():
                _download(home, libraries)
    except OSError as error:
        raise StackFailed(_explain(error, home)) from error
    return libraries


def _download(home: Path, libraries: Path) -> None:
    console = Console(stderr=True)
    console.print(f"downloading Kafka {KAFKA_VERSION} to {home} (about 44 MB, once)")
    began = time.monotonic()
    staging = home / "lib.new"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    columns = (TextColumn("Kafka {task.fields[version]}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("jars", total=None, version=KAFKA_VERSION)
        found = (each for name in _COORDINATES for each in _persistently(_resolve, name))
        # What both need is fetched once: two downloads of one jar would see each other's half.
        artifacts = list({artifact.key: artifact for artifact in found}.values())
        progress.update(task, total=len(artifacts))
        with ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
            for jar in pool.map(lambda artifact: _persistently(_fetch, artifact), artifacts):
                shutil.copyfile(jar, staging / jar.name)
                progress.advance(task)
    # The rename is the last act: a folder of that name is complete.
    staging.rename(libraries)
    console.print(f"Kafka {KAFKA_VERSION} is there ({time.monotonic() - began:.0f} s)")


def _resolve(coordinate: str) -> list[Any]:
    """Artifacts of `coordinate` and of everything that it needs to run."""
    try:
        import jgo
    except ModuleNotFoundError as error:
        raise StackFailed("the package jgo is missing: install outbox-relay[local]") from error
    artifacts: list[Any] = jgo.resolve(coordinate)
    return artifacts


def _fetch(artifact: Any) -> Path:
    """The artifact's jar in the local Maven repository, downloaded when it is not there."""
    jar = Path(artifact.resolve())
    try:
        with zipfile.ZipFile(jar) as archive:
            damaged = archive.testzip()
    except zipfile.BadZipFile:
        damaged = jar.name
    if damaged is not None:
        # Left by a download that was cut off; without it the next try fetches it anew.
        jar.unlink()
        raise OSError(errno.EIO, "a damaged jar was removed", str(jar))
    return jar


def _persistently(act: Callable[[Subject], Found], subject: Subject) -> Found:
    """`act(subject)`, tried again when the network fails."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return act(subject)
        except StackFailed:
            raise
        except Exception as error:
            # jgo has no errors of its own: what a bad network does to it is any of them.
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EACCES, errno.EROFS):
                raise
            if attempt == _ATTEMPTS:
                reason = str(error).splitlines()[0] if str(error) else "no reason given"
                raise StackFailed(
                    f"Kafka {KAFKA_VERSION} could not be downloaded, tried {attempt} times: "
                    f"{type(error).__name__}: {reason}. "
                    "The first start needs the network (HTTPS_PROXY is heeded); check it and run "
                    "`relay stack download` again, which goes on where it stopped"
                ) from error
            time.sleep(2.0 ** (attempt - 1))
    raise AssertionError("unreachable: the last attempt returns or raises")


def _explain(error: OSError, home: Path) -> str:
    if error.errno == errno.ENOSPC:
        return (
            f"Kafka could not be downloaded, the disk is full at {home}: free 150 MB, or choose "
            "another place with EVENT_BUS_LOCAL_CACHE_DIR"
        )
    return (
        f"Kafka could not be downloaded to {home}: {error.strerror or error}. "
        "Choose another place with EVENT_BUS_LOCAL_CACHE_DIR"
    )
