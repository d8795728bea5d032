"""Explains why a local server could not start, and what to do about it."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import psutil

__all__ = ["check_space", "explain_exit", "explain_os_error", "lost_its_port"]

_BYTES_NEEDED = 300 * 1024 * 1024
_DISK_FULL = "free some space, or choose another disk with --dir"


def check_space(folder: Path) -> None:
    """Raises OSError (ENOSPC) if the disk of `folder` has less than 300 MB left."""
    free = psutil.disk_usage(str(folder)).free
    if free < _BYTES_NEEDED:
        raise OSError(errno.ENOSPC, f"{free // 2**20} MB free, 300 MB needed", str(folder))


def explain_os_error(title: str, folder: Path, error: OSError) -> str:
    """Explains an error of the operating system during the start of `title` in `folder`."""
    where = error.filename or folder
    if error.errno == errno.ENOSPC:
        return f"{title} can't start, the disk is full at {where} ({error.strerror}): {_DISK_FULL}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"{title} can't start, {where} can't be used ({error.strerror}): "
            "give yourself access to it, or choose another place with --dir"
        )
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return (
            f"{title} can't start, {where} is a file where a folder is needed: "
            "choose another place with --dir"
        )
    return f"{title} in {folder} can't start: {error}"


def explain_exit(title: str, log_file: Path, log: str, fatal_line: str) -> str:
    """Explains why a server ended while it started.

    log: what it wrote since then. fatal_line: regular expression whose group is the reason.
    """
    lines = [line for line in log.splitlines() if line.strip()]
    reason = f"the last line of its log is {lines[-1]!r}" if lines else "its log is empty"
    if "No space left on device" in log:
        reason = f"the disk is full: {_DISK_FULL}"
    elif lost_its_port(log):
        reason = "its port is taken: end the other program, or run `relay stack up --fresh`"
    elif fatal_line and (found := re.search(fatal_line, log)):
        reason = f"it reports {found.group(1)!r}"
    return f"{title} in {log_file.parent} ended while it started: {reason}. Its log is {log_file}"


def lost_its_port(log: str) -> bool:
    """Checks whether the log reports that another process listens on the server's port."""
    return "ddress already in use" in log
