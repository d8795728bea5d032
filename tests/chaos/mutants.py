"""Takes rules of the relay out, on a copy, and shows that a short chaos run notices.

`python -m tests.chaos.mutants [NAME ...]`: all, or those named. Ends with 1 where one is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.chaos.broken import BROKEN, Broken
from tests.mutants.__main__ import copied_tree, mutate

__all__ = ["main"]

_LIMIT_S: Final = 420.0
_TRIES: Final = 3
_OPTIONS: Final = ("--seconds", "45", "--every", "3", "--idle", "25")


@dataclass(frozen=True)
class Trial:
    """One run with a rule taken out. noticed: what was found of it, in words."""

    seed: int
    noticed: str
    faults: str


def main() -> int:
    """The status of the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all of them")
    parser.add_argument("--seed", type=int, default=1, help="of the first try; two more follow")
    options = parser.parse_args()
    chosen = [one for one in BROKEN if not options.names or one.name in options.names]
    if not chosen:
        parser.error(f"there are only {', '.join(one.name for one in BROKEN)}")
    unnoticed = 0
    for one in chosen:
        began = time.monotonic()
        trial = _notice(one, options.seed)
        unnoticed += not trial.noticed
        verdict = "caught" if trial.noticed else "UNNOTICED"
        print(
            f"{one.name:20} {verdict:9} {time.monotonic() - began:4.0f} s  seed {trial.seed}: "
            f"{trial.noticed or one.what}  ({trial.faults})",
            flush=True,
        )
    print(f"{len(chosen) - unnoticed} of {len(chosen)} caught")
    return 1 if unnoticed else 0


def _notice(one: Broken, seed: int) -> Trial:
    """Runs with one seed after the other until the missing rule is noticed."""
    with copied_tree() as tree:
        if not mutate(one, tree):
            return Trial(seed, "", f"its text is gone: {one.text.strip().splitlines()[0]}")
        for number in range(seed, seed + _TRIES):
            found = _run(one, tree, number)
            trial = Trial(
                number, _noticed(one, found), ", ".join(f"{n} {k}" for k, n in _faults(found))
            )
            if trial.noticed:
                break
    return trial


def _run(one: Broken, tree: Path, seed: int) -> dict[str, Any]:
    """What the checker finds in the copy; empty where it came to no end."""
    file = tree / "found.json"
    file.unlink(missing_ok=True)
    plan = ["--faults", one.faults] if one.faults else ["--kinds", ",".join(one.kinds)]
    command = [sys.executable, "-m", "tests.chaos", "--seed", str(seed), "--json", str(file)]
    with (tree / "chaos.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *plan, *_OPTIONS],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree), "TMPDIR": str(tree)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        process.wait(_LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return found


def _noticed(one: Broken, found: dict[str, Any]) -> str:
    """Those findings that come of the missing rule."""
    findings = [
        f"{count} {question}"
        for question, count in found.get("findings", {}).items()
        if question in one.shows
    ]
    problems = [
        problem[:100]
        for problem in found.get("problems", ())
        if any(words in problem for words in one.shows)
    ]
    return ", ".join([*findings, *problems[:1]])


def _faults(found: dict[str, Any]) -> list[tuple[str, int]]:
    kinds = [kind for kind, _ in found.get("faults", ())]
    return [(kind, kinds.count(kind)) for kind in sorted(set(kinds))]


if __name__ == "__main__":
    raise SystemExit(main())
