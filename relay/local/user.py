"""The unprivileged account that PostgreSQL needs if the caller is root."""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from relay.errors import StackFailed

__all__ = ["give", "let_through", "unprivileged"]

_NAME = "embedded_postgres"
_ACCOUNTS: Final = Path("/etc")


def unprivileged() -> pwd.struct_passwd | None:
    """Returns the account to run as; None for an ordinary caller, who needs none.

    Root gets the account that the package embedded-postgres uses; it is created if missing.
    Raises StackFailed.
    """
    if os.geteuid() != 0:
        return None
    # Several useradd at once can take an account away that one of them has just made.
    with _alone():
        try:
            return pwd.getpwnam(_NAME)
        except KeyError:
            return _create()


def give(path: Path, account: pwd.struct_passwd | None) -> None:
    """Makes `account` the owner of `path`."""
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid)


def let_through(path: Path, account: pwd.struct_passwd | None) -> None:
    """Lets `account` pass every folder above `path`, without listing them. Raises StackFailed."""
    if account is None:
        return
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            try:
                folder.chmod(mode | stat.S_IXOTH)
            except OSError as error:
                raise StackFailed(
                    f"PostgreSQL, which runs as {account.pw_name}, can't pass the folder {folder}: "
                    f"{error.strerror}. Choose another place with --dir, or run as an ordinary user"
                ) from error


@contextmanager
def _alone() -> Iterator[None]:
    """Keeps other stacks of this machine from creating the account at the same time."""
    folder = os.open(_ACCOUNTS, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _create() -> pwd.struct_passwd:
    useradd = shutil.which("useradd") or "/usr/sbin/useradd"
    command = [useradd, "--system", "--no-create-home", "--shell", "/bin/false", _NAME]
    try:
        reason = subprocess.run(command, capture_output=True, text=True, check=False).stderr.strip()
    except OSError as error:
        reason = str(error)
    try:
        # Not the status of useradd: somebody else may have created the account meanwhile.
        return pwd.getpwnam(_NAME)
    except KeyError:
        raise StackFailed(
            f"PostgreSQL does not run as root, and the account {_NAME} could not be created: "
            f"{reason}. Create it with useradd, or run as an ordinary user"
        ) from None
