"""Runs a Kafka broker on one machine, from Python packages only."""

from __future__ import annotations

import base64
import shutil
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from relay.local.download import kafka_home, kafka_libraries
from relay.local.java import find_java
from relay.local.kafka_config import Profile, broker_properties, java_options, render
from relay.local.ports import HOST, is_free
from relay.local.server import LocalServer

__all__ = ["LocalKafka"]


class LocalKafka(LocalServer):
    """Kafka 4.3.1 in `dir`, a single KRaft node on 127.0.0.1.

    properties: broker properties that override the defaults; the attribute may be changed between
    starts.
    profile: `small` starts quickly, `measuring` has the heap and collector for figures.
    extra_java: further options of Java.
    """

    title: ClassVar[str] = "Kafka"
    program: ClassVar[str] = r" kafka\.Kafka "
    fatal_line: ClassVar[str] = r"(?:Exception|Error): (.*)"
    port_names: ClassVar[tuple[str, ...]] = ("port", "controller_port")

    def __init__(
        self,
        dir: Path | str,
        *,
        properties: Mapping[str, str] | None = None,
        profile: Profile = "small",
        extra_java: Sequence[str] = (),
        outlive: bool = False,
    ) -> None:
        super().__init__(dir, outlive=outlive)
        self.properties = dict(properties or {})
        self.profile = profile
        self.extra_java = list(extra_java)
        self._config = self.dir / "server.properties"

    @property
    def marker(self) -> str:
        """The properties file, which is on the command line."""
        return str(self._config)

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients, `host:port`."""
        return f"{HOST}:{self.port}"

    def _prepare(self) -> None:
        kafka_libraries()
        properties = broker_properties(
            port=self.port,
            controller_port=self._port("controller_port"),
            data=self.data,
            extra=self.properties,
        )
        self._config.write_text(render(properties))
        if not (self.data / "meta.properties").exists():
            # An interrupted format leaves an incomplete folder.
            shutil.rmtree(self.data, ignore_errors=True)
            self._format()

    def _format(self) -> None:
        known = kafka_home() / "bootstrap.checkpoint"
        if known.exists():
            # The tool's output differs between clusters only in two ids.
            self.data.mkdir()
            shutil.copyfile(known, self.data / known.name)
            draft = self.data / "meta.properties.new"
            draft.write_text(
                f"cluster.id={_new_id()}\ndirectory.id={_new_id()}\nnode.id=1\nversion=1\n"
            )
            draft.rename(self.data / "meta.properties")
            return
        command = self._java([], "kafka.tools.StorageTool", "format", "-t", _new_id())
        if self._run([*command, "-c", str(self._config)]).wait() != 0:
            shutil.rmtree(self.data, ignore_errors=True)
            raise self._exit_failure(self._new_log())
        draft = known.with_name(f"{known.name}.{uuid.uuid4().hex}")
        shutil.copyfile(self.data / known.name, draft)
        draft.rename(known)

    def _spawn(self) -> subprocess.Popen[bytes]:
        options = self.extra_java
        if not options and self.profile == "small":
            options = find_java().using_archive(kafka_home())
        return self._run(self._java(options, "kafka.Kafka", str(self._config)))

    def _java(self, options: Sequence[str], *arguments: str) -> list[str]:
        launcher = str(find_java().launcher)
        class_path = f"{kafka_libraries()}/*"
        return [launcher, *java_options(self.profile), *options, "-cp", class_path, *arguments]

    def _answers(self) -> bool:
        # An open port is not enough: a broker is missing in its metadata until it is registered.
        if is_free(self.port):
            return False
        admin = AdminClient(
            {
                "bootstrap.servers": self.bootstrap_servers,
                "log_level": 0,
                "reconnect.backoff.ms": 10,
                "reconnect.backoff.max.ms": 50,
                "socket.timeout.ms": 2000,
            }
        )
        try:
            return bool(admin.list_topics(timeout=2).brokers)
        except KafkaException:
            return False


def _new_id() -> str:
    """Returns a cluster or directory id as Kafka does: 16 random bytes in base64url."""
    found = "-"
    while found.startswith("-"):
        found = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return found
