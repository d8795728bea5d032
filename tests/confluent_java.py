"""Confluent's own registry client for Java, unchanged, in this process.

Confluent does not publish it to Maven Central. Apache Flink's format `avro-confluent` does, with
the client inside of its jar: the same classes, under names that begin with Flink's. Fetched once,
23 MB, into the folder of the local stack's downloads; nothing is fetched unless a test asks.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from relay.errors import StackFailed
from relay.local.download import cache_dir, kafka_libraries
from tests.jvm import start_jvm

__all__ = ["CLIENT_VERSION", "ConfluentJava", "wanted"]

CLIENT_VERSION = "7.5.3"

_GROUP, _ARTIFACT = "org.apache.flink", "flink-sql-avro-confluent-registry"
_FLINK_VERSION = "2.3.0"
_SHA256 = "abb904c1de29af02d2ea5c21df117f12d1fe9dd89f2514913a5079fc742d49ea"
_REGISTRY = "org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry"
_AVRO = "org.apache.flink.avro.shaded.org.apache.avro"
_REMEMBERED = 1_000


def wanted() -> bool:
    """Whether this run of the tests asks Confluent's client for Java."""
    return os.environ.get("EVENT_BUS_TEST_CLIENT") == "java"


class ConfluentJava:
    """Java's classes by the names that they have in the jar.

    jpype: the module, whose JException is the root of what Java throws. RestClientException:
    what the client throws when a registry refuses.
    """

    def __init__(self) -> None:
        # Kafka's download has what the client writes its log with.
        self.jpype = start_jvm([_jar(), *kafka_libraries().glob("slf4j-*.jar")])
        load = self.jpype.JClass
        client = f"{_REGISTRY}.client"
        self.RestClientException: Any = load(f"{client}.rest.exceptions.RestClientException")
        self.Config: Any = load(f"{client}.rest.entities.Config")
        self.Reference: Any = load(f"{client}.rest.entities.SchemaReference")
        self.RestService: Any = load(f"{client}.rest.RestService")
        # Flink's: puts the magic byte and the id before a record, and takes them off.
        self._coder = load(
            "org.apache.flink.formats.avro.registry.confluent.ConfluentSchemaRegistryCoder"
        )
        self._client = load(f"{client}.CachedSchemaRegistryClient")
        self._schema = load(f"{_REGISTRY}.avro.AvroSchema")
        self._integer = self.jpype.java.lang.Integer
        self._load = load

    def client(self, *urls: str) -> Any:
        """A CachedSchemaRegistryClient that has asked for nothing yet."""
        return self._client(self.jpype.java.util.ArrayList(urls), _REMEMBERED)

    def schema(self, text: str, references: dict[str, tuple[str, int, str]] | None = None) -> Any:
        """An AvroSchema. references: the subject, version and text that stand for each name."""
        if not references:
            return self._schema(text)
        util = self.jpype.java.util
        entries, texts = util.ArrayList(), util.HashMap()
        for name, (subject, version, referred) in references.items():
            entries.add(self.Reference(name, subject, self._integer(version)))
            texts.put(name, referred)
        return self._schema(text, entries, texts, None)

    def written(self, client: Any, subject: str, text: str, value: dict[str, Any]) -> bytes:
        """A record of primitive values in Confluent's wire format, its schema registered."""
        generic = f"{_AVRO}.generic"
        parsed = self.schema(text).rawSchema()
        record = self._load(f"{generic}.GenericData").Record(parsed)
        for name, one in value.items():
            record.put(name, one)
        out = self.jpype.java.io.ByteArrayOutputStream()
        self._coder(subject, client).writeSchema(parsed, out)
        encoder = self._load(f"{_AVRO}.io.EncoderFactory").get().directBinaryEncoder(out, None)
        self._load(f"{generic}.GenericDatumWriter")(parsed).write(record, encoder)
        return bytes(out.toByteArray())

    def read(self, client: Any, content: bytes, reader: str | None = None) -> Any:
        """The JSON of a record in Confluent's wire format; reader: the schema to read with."""
        source = self.jpype.java.io.ByteArrayInputStream(content)
        writer = self._coder(client).readSchema(source)
        expected = writer if reader is None else self.schema(reader).rawSchema()
        decoder = self._load(f"{_AVRO}.io.DecoderFactory").get().directBinaryDecoder(source, None)
        read = self._load(f"{_AVRO}.generic.GenericDatumReader")(writer, expected)
        found = json.loads(str(read.read(None, decoder)))
        assert source.available() == 0
        return found


def _jar() -> Path:
    """The jar with the client in the cache of the local stack, downloaded when it is missing."""
    home = cache_dir() / f"confluent-java-{CLIENT_VERSION}"
    home.mkdir(parents=True, exist_ok=True)
    jar = home / f"{_ARTIFACT}-{_FLINK_VERSION}.jar"
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jar.is_file():
            from jgo.maven import MavenContext

            component = MavenContext().project(_GROUP, _ARTIFACT).at_version(_FLINK_VERSION)
            staging = home / "jar.new"
            shutil.copyfile(component.artifact().resolve(), staging)
            if (found := hashlib.sha256(staging.read_bytes()).hexdigest()) != _SHA256:
                raise StackFailed(f"{jar.name} has the SHA-256 {found}, expected {_SHA256}")
            # The rename is the last act: a file of that name is complete.
            staging.rename(jar)
    return jar
