"""The account that PostgreSQL runs as where the caller is root."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid

import pytest

_CREATE = """
import pwd, sys
from relay.local import user
user._NAME = sys.argv[1]
print("ready", flush=True)
sys.stdin.readline()
account = user.unprivileged()
print(account.pw_uid, flush=True)
sys.stdin.readline()
print(pwd.getpwuid(account.pw_uid).pw_name)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs an account")
def test_stacks_that_start_at_once_agree_on_one_account() -> None:
    name = f"relay_{uuid.uuid4().hex[:8]}"
    command = [sys.executable, "-c", _CREATE, name]
    stacks = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    try:
        assert _step(stacks, say="") == ["ready"] * len(stacks)
        assert len(set(_step(stacks, say="\n"))) == 1
        assert _step(stacks, say="\n") == [name] * len(stacks)
    finally:
        for stack in stacks:
            stack.kill()
            stack.wait()
        subprocess.run(["userdel", name], check=False, capture_output=True)


def _step(stacks: list[subprocess.Popen[str]], *, say: str) -> list[str]:
    """Tells all to go on; the next line of each."""
    for stack in stacks:
        assert stack.stdin is not None
        stack.stdin.write(say)
        stack.stdin.flush()
    return [stack.stdout.readline().strip() for stack in stacks if stack.stdout is not None]
