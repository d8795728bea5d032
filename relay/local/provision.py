"""What the local stack needs, made once for the machine: Kafka, and an archive of its classes."""

from __future__ import annotations

import fcntl
import shutil
import sys
import tempfile
from pathlib import Path

from relay.errors import RelayError, StackFailed
from relay.local.archive import archive_file, recording_options
from relay.local.download import kafka_home, kafka_libraries
from relay.local.java import find_java
from relay.local.kafka import LocalKafka

__all__ = ["main", "provision"]


def provision() -> Path:
    """Downloads Kafka and records the archive for quick starts, each unless it is there.

    Returns the folder of both; the second call does nothing. Raises StackFailed.
    """
    kafka_libraries()
    home = kafka_home()
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _record_archive(home)
    return home


def main() -> None:
    """Downloads everything that the local stack needs; prints the folder."""
    try:
        print(provision())
    except RelayError as error:
        print(f"relay: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None


def _record_archive(home: Path) -> None:
    """Records the archive in Kafka's folder `home` unless it is there; takes about ten seconds.

    A Java that can't record gets an empty file, so that it is not asked again.
    """
    java = find_java()
    archive = archive_file(home, java)
    if archive.exists():
        return
    print("recording Kafka's classes for quick starts (about 10 s, once)", file=sys.stderr)
    folder = Path(tempfile.mkdtemp(prefix="record-", dir=home))
    try:
        draft = folder / "archive"
        broker = LocalKafka(folder / "broker", extra_java=recording_options(draft, java))
        try:
            broker.start()
        except StackFailed:
            broker.kill()
        broker.stop()
        draft.touch()
        draft.rename(archive)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
