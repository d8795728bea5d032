"""Downloads Kafka's libraries once, into a folder that all stacks of the machine share."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import track

from relay.errors import StackFailed

__all__ = ["KAFKA_VERSION", "cache_dir", "kafka_home", "kafka_libraries"]

KAFKA_VERSION = "4.3.1"

# Resolved one by one: together they resolve to versions that Kafka was not built for.
_COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    "org.slf4j:slf4j-simple:1.7.36",  # without an slf4j binding Kafka logs nothing
)
_ATTEMPTS = 4
_DOWNLOADS_AT_ONCE = 4

Result = TypeVar("Result")


def cache_dir() -> Path:
    """Returns the folder of all downloads: EVENT_BUS_LOCAL_CACHE_DIR, or in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    found = os.environ.get("EVENT_BUS_LOCAL_CACHE_DIR") or f"{base}/outbox-relay"
    return Path(found).expanduser()


def kafka_home() -> Path:
    """Returns the folder of this Kafka version in the cache; may not exist yet."""
    return cache_dir() / f"kafka-{KAFKA_VERSION}"


def kafka_libraries() -> Path:
    """Returns the folder with Kafka's jars, and downloads them if needed.

    Progress goes to standard error. An interrupted download is resumed; a second one at the same
    time waits for the first. Raises StackFailed.
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
    found = (each for name in _COORDINATES for each in _retry(partial(_resolve, name)))
    # A jar that both need is downloaded once: two downloads would see each other's partial file.
    artifacts = list({artifact.key: artifact for artifact in found}.values())
    with ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
        jars = pool.map(lambda artifact: _retry(partial(_fetch, artifact)), artifacts)
        for jar in track(
            jars,
            f"Kafka {KAFKA_VERSION}",
            total=len(artifacts),
            console=console,
            disable=not console.is_terminal,
        ):
            shutil.copyfile(jar, staging / jar.name)
    # Renamed last, so that a folder of that name is complete.
    staging.rename(libraries)
    console.print(f"Kafka {KAFKA_VERSION} is there ({time.monotonic() - began:.0f} s)")


def _resolve(coordinate: str) -> list[Any]:
    """Lists the artifacts of `coordinate` and of all its runtime dependencies."""
    try:
        import jgo
    except ModuleNotFoundError as error:
        raise StackFailed("the package jgo is missing: install outbox-relay[local]") from error
    artifacts: list[Any] = jgo.resolve(coordinate)
    return artifacts


def _fetch(artifact: Any) -> Path:
    """Returns the artifact's jar in the local Maven repository, downloaded if it is missing."""
    jar = Path(artifact.resolve())
    try:
        with zipfile.ZipFile(jar) as archive:
            damaged = archive.testzip()
    except zipfile.BadZipFile:
        damaged = jar.name
    if damaged is not None:
        # Left by an interrupted download; the next attempt downloads it again.
        jar.unlink()
        raise OSError(errno.EIO, "a damaged jar was removed", str(jar))
    return jar


def _retry(action: Callable[[], Result]) -> Result:
    """Returns the result of `action`, retried if the network fails."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return action()
        except StackFailed:
            raise
        except Exception as error:
            # jgo has no errors of its own: a bad network can raise anything.
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EACCES, errno.EROFS):
                raise
            if attempt == _ATTEMPTS:
                reason = str(error).splitlines()[0] if str(error) else "no reason given"
                raise StackFailed(
                    f"Kafka {KAFKA_VERSION} could not be downloaded, tried {attempt} times: "
                    f"{type(error).__name__}: {reason}. "
                    "The first start needs the network (HTTPS_PROXY is respected); check it and "
                    "run `relay stack download` again, which resumes"
                ) from error
            time.sleep(2.0 ** (attempt - 1))
    raise AssertionError("unreachable: the last attempt returns or raises")


def _explain(error: OSError, home: Path) -> str:
    is_full = error.errno == errno.ENOSPC
    return (
        f"Kafka could not be downloaded to {home}: {error.strerror or error}. "
        f"{'Free 150 MB, or choose' if is_full else 'Choose'} another place with "
        "EVENT_BUS_LOCAL_CACHE_DIR"
    )
