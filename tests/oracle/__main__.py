"""python -m tests.oracle --pairs 20000: compares our verdicts and canonical forms with Java's.

The last line is the number of pairs and of disagreements. A pair follows from the seed and its
number alone, so that a disagreement can be looked at again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from random import Random

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from relay.errors import RelayError
from relay.schema.compatibility import Rule
from tests.oracle.generate import Generator
from tests.oracle.graph import written
from tests.oracle.java import AVRO_VERSION, Java
from tests.oracle.mutate import changed
from tests.oracle.verdict import Verdict, agree, our_verdict

SEED = 20_000
_DEPTH = 4
_SHOWN = 20


def main() -> int:
    """Runs the comparison; 1 when the two sides differ anywhere, or a rule was never broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--only", type=int, metavar="N", help="pair N alone, with both verdicts")
    options = parser.parse_args()
    numbers = range(options.pairs) if options.only is None else [options.only]
    java = Java()
    outcomes: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    disagreements = 0
    began = time.monotonic()
    console = Console(stderr=True)
    columns = ("pairs", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        for number in progress.track(numbers):
            reader, writer = pair(options.seed, number)
            ours, theirs = our_verdict(reader, writer), java.verdict(reader, writer)
            outcomes[theirs.outcome] += 1
            rules.update(ours.rules)
            same = agree(ours, theirs)
            disagreements += not same
            if options.only is not None or (not same and disagreements <= _SHOWN):
                _show(options.seed, number, reader, writer, ours, theirs)
            if not console.is_terminal and number and number % 5_000 == 0:
                print(f"{number} pairs", file=sys.stderr)
    _count("outcome", outcomes)
    _count("rule", rules)
    print(f"seed {options.seed}, Avro for Java {AVRO_VERSION}, {time.monotonic() - began:.0f} s")
    unbroken = [str(rule) for rule in Rule if rule not in rules]
    if unbroken and options.only is None:
        print(f"no pair breaks {', '.join(unbroken)}: take more pairs or another seed")
    print(f"{len(numbers)} pairs, {disagreements} disagreements")
    return 1 if disagreements or (unbroken and options.only is None) else 0


def pair(seed: int, number: int) -> tuple[str, str]:
    """Texts of the reader's and the writer's schema."""
    random = Random(f"{seed}/{number}")
    one = Generator(random).any_type(_DEPTH)
    other = Generator(random).any_type(_DEPTH) if random.random() < 0.1 else changed(one, random)
    texts = [json.dumps(written(schema, random)) for schema in (one, other)]
    random.shuffle(texts)
    return texts[0], texts[1]


def _show(seed: int, number: int, reader: str, writer: str, ours: Verdict, theirs: Verdict) -> None:
    print(f"pair {number} of seed {seed}\n  reader {reader}\n  writer {writer}")
    for name, verdict in (("here", ours), ("Java", theirs)):
        print(f"  {name}: {verdict.outcome} {', '.join(sorted(verdict.rules))}")
        for note in verdict.notes:
            print(f"    {note}")


def _count(what: str, counts: Counter[str]) -> None:
    for name, count in sorted(counts.items()):
        print(f"{what} {name}: {count}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RelayError as error:
        print(f"oracle: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
