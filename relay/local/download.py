"""Fetches Kafka's libraries once, into a folder that all stacks of the machine share."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from relay.errors import RelayError, StackFailed
from relay.local.archive import record_archive
from relay.local.settings import LocalSettings

__all__ = ["KAFKA_VERSION", "kafka_home", "kafka_libraries", "main", "provision"]

KAFKA_VERSION = "4.3.1"

# Each is resolved alone: resolved together they come out with versions Kafka was not built for.
_COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    "org.slf4j:slf4j-simple:1.7.36",  # without a binding of slf4j Kafka logs nothing
)
_APPROXIMATE_BYTES = 44_000_000
_ATTEMPTS = 4


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
    staging = home / "staging"
    console = Console(stderr=True)
    console.print(f"downloading Kafka {KAFKA_VERSION} to {home} (about 44 MB, once)")
    began = time.monotonic()
    with _progress(console) as report:
        for coordinate in _COORDINATES:
            _resolve(coordinate, staging / "jgo", report)
    collected = staging / "lib"
    shutil.rmtree(collected, ignore_errors=True)
    collected.mkdir(parents=True)
    for jar in (staging / "jgo").rglob("*.jar"):
        shutil.copyfile(jar, collected / jar.name)
    # The rename is the last act: a folder of that name is complete.
    collected.rename(libraries)
    shutil.rmtree(staging, ignore_errors=True)
    console.print(f"Kafka {KAFKA_VERSION} is there ({time.monotonic() - began:.0f} s)")


def provision() -> Path:
    """Downloads Kafka and records the archive for quick starts, each unless it is there.

    Returns the folder of both; the second call does nothing. Raises StackFailed.
    """
    kafka_libraries()
    home = kafka_home()
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        record_archive(home)
    return home


def _resolve(coordinate: str, cache_dir: Path, report: Callable[[int], None]) -> None:
    try:
        import jgo
        from jgo.maven import PythonResolver
    except ModuleNotFoundError as error:
        raise StackFailed("the package jgo is missing: install outbox-relay[local]") from error

    @contextlib.contextmanager
    def follow(_filename: str, _size: int) -> Iterator[Callable[[int], None]]:
        yield report

    for attempt in range(1, _ATTEMPTS + 1):
        try:
            jgo.build(
                coordinate,
                cache_dir=cache_dir,
                resolver=PythonResolver(progress_callback=follow),
            )
        except Exception as error:
            # jgo has no errors of its own: what a bad network does to it is any of them.
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EACCES, errno.EROFS):
                raise
            if attempt == _ATTEMPTS:
                raise StackFailed(
                    f"Kafka {KAFKA_VERSION} could not be downloaded, tried {attempt} times: "
                    f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}. "
                    "The first start needs the network (HTTPS_PROXY is heeded); check it and run "
                    "`relay stack download` again, which goes on where it stopped"
                ) from error
            time.sleep(2.0 ** (attempt - 1))
        else:
            return


@contextlib.contextmanager
def _progress(console: Console) -> Iterator[Callable[[int], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"Kafka {KAFKA_VERSION}", total=_APPROXIMATE_BYTES)
        yield lambda count: progress.advance(task, count)


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


def main() -> None:
    """Downloads everything that the local stack needs; prints the folder."""
    try:
        print(provision())
    except RelayError as error:
        print(f"relay: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    main()
