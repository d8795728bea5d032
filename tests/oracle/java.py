"""Java's verdict, asked in this process: the virtual machine is loaded into it."""

from __future__ import annotations

import fcntl
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from relay.errors import StackFailed
from relay.local.download import cache_dir
from tests.jvm import start_jvm
from tests.oracle.java_values import natural
from tests.oracle.verdict import Verdict

__all__ = ["AVRO_VERSION", "Java", "JavaFailed"]

AVRO_VERSION = "1.12.1"
_COORDINATE = f"org.apache.avro:avro:{AVRO_VERSION}"
_ATTEMPTS = 4
_TIMES = (
    *("Date", "TimeMillis", "TimeMicros", "TimestampMillis", "TimestampMicros", "TimestampNanos"),
    *("LocalTimestampMillis", "LocalTimestampMicros", "LocalTimestampNanos"),
)


class JavaFailed(Exception):
    """Java throws."""


class Java:
    """Avro for Java. Starts the virtual machine, which can't be started twice in a process."""

    def __init__(self) -> None:
        jpype = start_jvm(_jars())
        self._refused = jpype.JException
        self._parser = jpype.JClass("org.apache.avro.Schema").Parser
        self._normalization = jpype.JClass("org.apache.avro.SchemaNormalization")
        self._compatibility = jpype.JClass("org.apache.avro.SchemaCompatibility")
        self._datum_reader = jpype.JClass("org.apache.avro.generic.GenericDatumReader")
        self._decoders = jpype.JClass("org.apache.avro.io.DecoderFactory").get()
        self._data = jpype.JClass("org.apache.avro.generic.GenericData")()
        conversions = jpype.JClass("org.apache.avro.Conversions")
        times = jpype.JClass("org.apache.avro.data.TimeConversions")
        for conversion in (
            *(getattr(conversions, name) for name in ("DecimalConversion", "UUIDConversion")),
            *(getattr(times, f"{name}Conversion") for name in _TIMES),
        ):
            self._data.addLogicalTypeConversion(conversion())

    def verdict(self, reader: str, writer: str) -> Verdict:
        """What Java says of the texts of a reader's and a writer's schema."""
        try:
            pair = [self._parser().parse(text) for text in (reader, writer)]
        except self._refused as refused:
            return Verdict("refused", notes=(str(refused),))
        forms = tuple(str(self._normalization.toParsingForm(schema)) for schema in pair)
        try:
            found = self._compatibility.checkReaderWriterCompatibility(*pair)
        except self._refused as refused:
            if "matches multiple fields" not in str(refused):
                raise
            return Verdict("ambiguous", frozenset({"AMBIGUOUS_FIELD"}), forms=forms)
        broken = list(found.getResult().getIncompatibilities())
        return Verdict(
            str(found.getType()).lower(),
            frozenset(_rule(one) for one in broken),
            tuple(f"{one.getType()} at {one.getLocation()}: {one.getMessage()}" for one in broken),
            forms,
        )

    def value_reader(self, writer: str, reader: str) -> Callable[[bytes], Any]:
        """Returns the function from bytes of the writer's schema to the reader's natural JSON.

        Its logical types are converted. It raises JavaFailed, as this does for invalid schemas.
        """
        try:
            pair = [self._parser().parse(text) for text in (writer, reader)]
            datum_reader = self._datum_reader(*pair, self._data)
        except self._refused as refused:
            raise JavaFailed(str(refused)) from None

        def read(encoded: bytes) -> Any:
            try:
                value = datum_reader.read(None, self._decoders.binaryDecoder(encoded, None))
                return natural(value)
            except self._refused as refused:
                raise JavaFailed(str(refused)) from None
            except (OverflowError, ValueError) as error:
                raise JavaFailed(f"beyond what natural JSON has: {error}") from None

        return read


def _rule(broken: Any) -> str:
    # A field that is missing, and whose type is an enum with a default, Java compares with the
    # writer's record.
    if str(broken.getMessage()) == "reader type: ENUM not compatible with writer type: RECORD":
        return "TYPE_MISMATCH or READER_FIELD_MISSING_DEFAULT_VALUE"
    return str(broken.getType())


def _jars() -> list[Path]:
    """Avro's jars in the cache of the local stack, downloaded when they are not there."""
    home = cache_dir() / f"avro-{AVRO_VERSION}"
    libraries = home / "lib"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not libraries.is_dir():
            _download(home / "lib.new", libraries)
    return sorted(libraries.glob("*.jar"))


def _download(staging: Path, libraries: Path) -> None:
    import jgo

    print(
        f"downloading Avro for Java {AVRO_VERSION} to {libraries} (about 5 MB, once)",
        file=sys.stderr,
    )
    for attempt in range(1, _ATTEMPTS + 1):
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        try:
            for artifact in jgo.resolve(_COORDINATE):
                jar = Path(artifact.resolve())
                shutil.copyfile(jar, staging / jar.name)
        except Exception as error:
            # jgo has no errors of its own: what a bad network does to it is any of them.
            if attempt == _ATTEMPTS:
                raise StackFailed(
                    f"Avro for Java {AVRO_VERSION} could not be downloaded, tried {attempt} "
                    f"times: {type(error).__name__}: {error}. Check the network and run it again"
                ) from error
            time.sleep(2.0 ** (attempt - 1))
        else:
            # The rename is the last act: a folder of that name is complete.
            staging.rename(libraries)
            return
