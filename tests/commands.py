"""Runs `relay ...` as a process whose modules are loaded already.

Most of what a short command costs is to load Python's modules. Here one process loads them, and
each command is a fork of it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing import get_context
from pathlib import Path

from relay.cli.main import COMMANDS, main

__all__ = ["run_relay"]

_LOADED = get_context("forkserver")
_LOADED.set_forkserver_preload(
    [__name__, *sorted({f"relay.cli.{place.partition(':')[0]}" for place, *_ in COMMANDS.values()})]
)


def run_relay(
    *words: str,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout: float = 120.0,
) -> subprocess.CompletedProcess[str]:
    """Runs `relay` with these arguments to its end, as `subprocess.run` does.

    environment: None: this process's. folder: where it runs; None: here. timeout: seconds, after
    which it is killed. Raises subprocess.TimeoutExpired.
    """
    with tempfile.TemporaryDirectory() as written:
        output, errors = Path(written, "stdout"), Path(written, "stderr")
        process = _LOADED.Process(
            target=_command,
            args=(
                words,
                dict(os.environ if environment is None else environment),
                str(folder or Path.cwd()),
                str(output),
                str(errors),
            ),
        )
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(["relay", *words], timeout)
        status = process.exitcode
        process.close()
        return subprocess.CompletedProcess(
            ["relay", *words], status, output.read_text(), errors.read_text()
        )


def _command(
    words: tuple[str, ...], environment: dict[str, str], folder: str, output: str, errors: str
) -> None:
    """Becomes the command: what `python -m relay.cli.main` finds when it starts."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[0] = folder
    sys.argv = ["relay", *words]
    for file, stream in ((output, 1), (errors, 2)):
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, stream)
        os.close(descriptor)
    main()
