"""A Kafka broker on one machine, from nothing but Python packages."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from relay.local.archive import using_options
from relay.local.download import kafka_home, kafka_libraries
from relay.local.java import find_java
from relay.local.kafka_config import Profile, broker_properties, java_options, render
from relay.local.ports import HOST, is_free
from relay.local.process import spawn
from relay.local.server import LocalServer

__all__ = ["LocalKafka"]


class LocalKafka(LocalServer):
    """Kafka 4.3.1 in `dir`, a single KRaft node on 127.0.0.1.

    properties: broker properties that win over the defaults, applied at every start;
    the attribute may be changed between starts.
    profile: `small` starts quickly, `measuring` has the heap and collector for figures.
    extra_java: further options of Java itself.
    """

    title: ClassVar[str] = "Kafka"
    program: ClassVar[str] = r" kafka\.Kafka "
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
        self.data = self.dir / "data"
        self._config = self.dir / "server.properties"

    @property
    def marker(self) -> str:
        """The properties file, which stands on the command line."""
        return str(self._config)

    @property
    def bootstrap_servers(self) -> str:
        """What clients connect to, `host:port`."""
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
            # A format that was cut off leaves a half-made folder.
            shutil.rmtree(self.data, ignore_errors=True)
            self._format()

    def _format(self) -> None:
        known = kafka_home() / "bootstrap.checkpoint"
        if known.exists():
            # What the tool writes is the same for every cluster but for two ids.
            self.data.mkdir()
            shutil.copyfile(known, self.data / known.name)
            draft = self.data / "meta.properties.new"
            draft.write_text(
                f"cluster.id={_new_id()}\ndirectory.id={_new_id()}\nnode.id=1\nversion=1\n"
            )
            draft.rename(self.data / "meta.properties")
            return
        command = self._java([], "kafka.tools.StorageTool", "format", "-t", _new_id())
        self._mark_log()
        child = spawn([*command, "-c", str(self._config)], log=self.log, cwd=self.dir)
        if child.wait() != 0:
            shutil.rmtree(self.data, ignore_errors=True)
            raise self._exit_failure()
        draft = known.with_name(f"{known.name}.{uuid.uuid4().hex}")
        shutil.copyfile(self.data / known.name, draft)
        draft.rename(known)

    def _spawn(self) -> subprocess.Popen[bytes]:
        options = self.extra_java
        if not options and self.profile == "small":
            options = using_options(kafka_home(), find_java())
        command = self._java(options, "kafka.Kafka", str(self._config))
        return spawn(command, log=self.log, cwd=self.dir)

    def _java(self, options: Sequence[str], *arguments: str) -> list[str]:
        launcher = str(find_java().launcher)
        class_path = f"{kafka_libraries()}/*"
        return [launcher, *java_options(self.profile), *options, "-cp", class_path, *arguments]

    def _answers(self) -> bool:
        # An open port is not enough: a broker that is not let in yet hides from its metadata.
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

    def _explain(self, log: str) -> str:
        if found := re.search(r"(?:Exception|Error): (.*)", log):
            return f"it says {found.group(1)!r}"
        return ""


def _new_id() -> str:
    """A cluster or directory id as Kafka writes them: 16 random bytes in base64url."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")) and (
        text.startswith("-")
    ):
        continue
    return text
