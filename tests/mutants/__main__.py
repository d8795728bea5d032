"""Takes the rules of hazards out one by one, on a copy, and shows that a test fails without each.

`python -m tests.mutants [NAME ...]`: all, or those whose names begin so (`H10`, `H10-commits`).
Ends with 1 when a mutant survives, or its text is not found any more.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from tests.mutants.rules import MUTANTS, Mutant

Verdict = Literal["killed", "SURVIVED", "NOT FOUND", "NOT RUN", "TOO SLOW"]

ROOT = Path(__file__).parents[2]
COPIED = ("relay", "schemas", "consumers", "examples", "tests", "docs", "pyproject.toml")
_SOME_TEST_FAILED = 1
_ALL_PASSED = 0


def main() -> int:
    """The status of the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all of them")
    parser.add_argument(
        "--list", action="store_true", help="only list them, and whether their texts are found"
    )
    parser.add_argument("--limit", type=float, default=240.0, help="seconds for each (240)")
    parser.add_argument("--total", type=float, default=2400.0, help="seconds for all (2400)")
    options = parser.parse_args()
    chosen = [
        mutant
        for mutant in MUTANTS
        if not options.names or any(matches(mutant, name) for name in options.names)
    ]
    if not chosen:
        parser.error(f"no mutant is called {', '.join(options.names)}; see --list")
    width = max(len(mutant.name) for mutant in chosen)
    if options.list:
        gone = [mutant for mutant in chosen if not found_in(ROOT, mutant)]
        for mutant in chosen:
            verdict = "NOT FOUND" if mutant in gone else "found"
            print(f"{mutant.name:{width}}  {verdict:9}  {mutant.files}  {' '.join(mutant.tests)}")
        return 1 if gone else 0
    deadline = time.monotonic() + options.total
    verdicts: list[Verdict] = []
    for mutant in chosen:
        began = time.monotonic()
        limit = min(options.limit, deadline - began)
        verdict, said = judge(mutant, limit) if limit > 0 else ("TOO SLOW", "no time is left")
        verdicts.append(verdict)
        seconds = time.monotonic() - began
        print(f"{mutant.name:{width}}  {verdict:9}  {seconds:5.1f} s  {said}", flush=True)
    killed = verdicts.count("killed")
    print(f"{killed} of {len(verdicts)} mutants killed")
    return 0 if killed == len(verdicts) else 1


def matches(mutant: Mutant, name: str) -> bool:
    """Whether `name` is the mutant's, its hazard's, or how its name begins."""
    return mutant.hazard == name or ("-" in name and mutant.name.startswith(name))


def judge(mutant: Mutant, limit: float) -> tuple[Verdict, str]:
    """What became of a mutant within `limit` seconds, and what there is to say about it."""
    with copied_tree() as tree:
        if not mutate(mutant, tree):
            return "NOT FOUND", f"{mutant.text.strip().splitlines()[0]!r} in {mutant.files}"
        try:
            status, output = run_tests(mutant, tree, limit)
        except subprocess.TimeoutExpired:
            return "TOO SLOW", f"no result after {limit:.0f} s"
    failed = [line for line in output.splitlines() if line.startswith("FAILED ")]
    if status == _SOME_TEST_FAILED and failed:
        test, _, reason = failed[0].removeprefix("FAILED ").partition(" - ")
        return "killed", f"{test.rpartition('::')[2]}: {reason}"
    if status == _ALL_PASSED:
        return "SURVIVED", " ".join(mutant.tests)
    return "NOT RUN", " | ".join(output.strip().splitlines()[-3:])


@contextmanager
def copied_tree() -> Iterator[Path]:
    """A copy of what the tests need."""
    with tempfile.TemporaryDirectory(prefix="relay-mutant-") as folder:
        tree = Path(folder)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, tree / name)
        yield tree


def found_in(tree: Path, mutant: Mutant) -> list[Path]:
    """The files that the mutant changes."""
    return [path for path in sorted(tree.glob(mutant.files)) if mutant.text in path.read_text()]


def mutate(mutant: Mutant, tree: Path) -> int:
    """Makes the change in the copy; in how many files."""
    changed = found_in(tree, mutant)
    for path in changed:
        content = path.read_text().replace(mutant.text, mutant.replacement)
        if path.suffix == ".py":
            compile(content, path, "exec")
        path.write_text(content)
    return len(changed)


def run_tests(mutant: Mutant, tree: Path, limit: float) -> tuple[int, str]:
    """Status and output of pytest in the copy. Raises subprocess.TimeoutExpired."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    process = subprocess.Popen(
        [*command, "--timeout", str(int(limit)), *mutant.tests],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "COLUMNS": "250"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=limit + 10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    return process.returncode, output


if __name__ == "__main__":
    raise SystemExit(main())
