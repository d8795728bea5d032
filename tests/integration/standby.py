"""A standby of a local PostgreSQL, made as production makes them."""

from __future__ import annotations

from pathlib import Path

import psycopg

from relay.local.ports import HOST
from relay.local.postgres import LocalPostgres
from relay.local.process import spawn
from relay.local.user import unprivileged
from tests.stack import until

__all__ = ["Standby", "addresses"]


class Standby(LocalPostgres):
    """A streaming replica by pg_basebackup. Its password is the primary's."""

    def __init__(self, dir: Path, primary: LocalPostgres) -> None:
        super().__init__(dir, settings=primary.settings)
        self._primary = primary
        self.dir.mkdir(parents=True, exist_ok=True)
        self._state.update(password=primary.url.split("@")[0].rsplit(":", 1)[1])

    def catch_up(self) -> None:
        """Waits until all that the primary has written is replayed."""
        with psycopg.connect(self._primary.url, autocommit=True) as primary:
            end = primary.execute("select pg_current_wal_insert_lsn()").fetchone()
        with psycopg.connect(self.url, autocommit=True) as standby:
            until(
                lambda: (
                    standby.execute("select pg_last_wal_replay_lsn() >= %s", end).fetchone()
                    == (True,)
                )
            )

    def cut_off(self) -> None:
        """Receives nothing any more: from now on it lags."""
        with psycopg.connect(self.url, autocommit=True) as standby:
            standby.execute("alter system set primary_conninfo = ''")
            standby.execute("select pg_reload_conf()")
            until(
                lambda: (
                    standby.execute("select count(*) from pg_stat_wal_receiver").fetchone() == (0,)
                )
            )

    def promote(self) -> None:
        """Makes it a primary on a new timeline."""
        with psycopg.connect(self.url, autocommit=True) as standby:
            assert standby.execute("select pg_promote()").fetchone() == (True,)

    def _initdb(self, binaries: Path, data: Path, password_file: Path) -> None:  # noqa: ARG002
        source = self._primary.url_of("postgres")
        child = spawn(
            [
                str(binaries / "pg_basebackup"),
                f"--pgdata={data}",
                f"--dbname={source}",
                "--checkpoint=fast",
                "--write-recovery-conf",
                "--no-sync",
            ],
            log=self.log,
            cwd=self.dir,
            account=unprivileged(),
        )
        assert child.wait() == 0, self.log.read_text()

    def _answers(self) -> bool:
        if self.process is None:
            return False
        try:
            psycopg.connect(self.url_of("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def addresses(database: str, *servers: LocalPostgres) -> str:
    """One URL for several servers, of which one is the primary at a time."""
    credentials = servers[0].url.split("@")[0]
    hosts = ",".join(f"{HOST}:{server.port}" for server in servers)
    return f"{credentials}@{hosts}/{database}"
