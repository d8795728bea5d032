"""Apicurio Registry as a local server, for tests that compare registries.

It speaks Confluent's API under /apis/ccompat/v7. Fetched from Maven once, 159 MB, into the
folder of the local stack's downloads; nothing is fetched unless a test asks for it.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import tarfile
from pathlib import Path
from typing import ClassVar

import httpx

from relay.local.download import cache_dir
from relay.local.java import find_java
from relay.local.ports import HOST
from relay.local.process import spawn
from relay.local.server import LocalServer

__all__ = ["APICURIO_VERSION", "LocalApicurio", "wanted"]

APICURIO_VERSION = "3.3.3"

_GROUP, _ARTIFACT = "io.apicurio", "apicurio-registry-app"
_JAVA = 21


def wanted() -> bool:
    """Whether this run of the tests compares with Apicurio."""
    return os.environ.get("EVENT_BUS_TEST_REGISTRY") == "apicurio"


def apicurio_home() -> Path:
    """The folder with quarkus-run.jar, downloaded and unpacked when it is not there yet."""
    home = cache_dir() / f"apicurio-{APICURIO_VERSION}"
    home.mkdir(parents=True, exist_ok=True)
    unpacked = home / "app"
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not unpacked.is_dir():
            from jgo.maven import MavenContext

            component = MavenContext().project(_GROUP, _ARTIFACT).at_version(APICURIO_VERSION)
            archive = component.artifact("all", "tar.gz").resolve()
            staging = home / "app.new"
            with tarfile.open(archive) as content:
                content.extractall(staging, filter="data")
            # The rename is the last act: a folder of that name is complete.
            staging.rename(unpacked)
    return unpacked


class LocalApicurio(LocalServer):
    """Apicurio Registry on 127.0.0.1 with its schemas in memory; every start begins empty."""

    title: ClassVar[str] = "Apicurio Registry"
    program: ClassVar[str] = r"quarkus-run\.jar"

    @property
    def marker(self) -> str:
        """The option with its port, which stands on the command line."""
        return f"-Dquarkus.http.port={self.port}"

    @property
    def url(self) -> str:
        """Where Confluent's API is served."""
        return f"http://{HOST}:{self.port}/apis/ccompat/v7"

    def _prepare(self) -> None:
        apicurio_home()

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = [
            str(find_java(_JAVA).launcher),
            "-Xmx512m",
            "-XX:+UseSerialGC",
            self.marker,
            f"-Dquarkus.http.host={HOST}",
            # The level that Confluent's registry has when nobody has set one.
            "-Dapicurio.rules.global.compatibility=BACKWARD",
            "-jar",
            str(apicurio_home() / "quarkus-run.jar"),
        ]
        return spawn(command, log=self.log, cwd=self.dir)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/subjects", timeout=2.0, trust_env=False).is_success
        except httpx.HTTPError:
            return False
