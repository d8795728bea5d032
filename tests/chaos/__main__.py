"""`python -m tests.chaos`: disturbs a real stack and checks what became of the events."""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
import time
from pathlib import Path

from tests.chaos.plan import KINDS, make_plan, read_plan
from tests.chaos.report import describe_plan, report
from tests.chaos.run import IDLE_S, Outcome, perform
from tests.chaos.stage import Size

__all__ = ["main"]


def main() -> int:
    """Exit code: 0 everything is as promised, 1 something is not."""
    options = _arguments()
    plan = options.faults or make_plan(options.seed, options.seconds, options.kinds, options.every)
    print(f"seed {options.seed}, {options.seconds:g} s, {len(plan)} faults:")
    print(describe_plan(plan), flush=True)
    if options.plan:
        return 0
    folder = Path(tempfile.mkdtemp(prefix="relay-chaos-"))
    began = time.monotonic()
    outcome = perform(
        folder,
        options.seed,
        plan,
        options.seconds,
        Size(rate=options.rate),
        options.idle,
        lambda line: print(f"[{time.monotonic() - began:5.0f}] {line}", flush=True),
    )
    print(f"\n{report(outcome, options.seed)}")
    if options.json is not None:
        options.json.write_text(json.dumps(_document(outcome)))
    if outcome.is_sound and not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"logs and data are in {folder}")
    return 0 if outcome.is_sound else 1


def _document(outcome: Outcome) -> dict[str, object]:
    return {
        "findings": {finding.question: finding.count for finding in outcome.findings},
        "problems": outcome.problems,
        "faults": [[done.fault.kind, done.target] for done in outcome.done],
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument(
        "--seed", type=int, default=random.randrange(1_000_000), help="decides the plan"
    )
    parser.add_argument("--seconds", type=float, default=300.0, help="every kind occurs in 300")
    parser.add_argument(
        "--kinds",
        type=lambda given: [_kind(name) for name in given.split(",")],
        default=list(KINDS),
        help=f"only these, separated by commas: {', '.join(KINDS)}",
    )
    parser.add_argument(
        "--faults", type=read_plan, help="this plan: KIND@AT:SECONDS:CHOICE, separated by commas"
    )
    parser.add_argument("--every", type=float, default=7.0, help="seconds between two faults")
    parser.add_argument(
        "--rate", type=float, default=Size().rate, help="transactions a second of each writer"
    )
    parser.add_argument("--idle", type=float, default=IDLE_S, help="seconds to come to rest in")
    parser.add_argument("--plan", action="store_true", help="print the plan and end")
    parser.add_argument("--keep", action="store_true", help="keep logs and data of a sound run")
    parser.add_argument("--json", type=Path, help="file for what was found")
    return parser.parse_args()


def _kind(name: str) -> str:
    if name not in KINDS:
        raise argparse.ArgumentTypeError(f"there is no kind of fault {name!r}")
    return name


if __name__ == "__main__":
    raise SystemExit(main())
