"""python -m tests.oracle --pairs 20000: compares our verdicts and canonical forms with Java's.

The last line is the number of pairs and of disagreements. A pair follows from the seed and its
number alone, so that a disagreement can be looked at again.
"""

from __future__ import annotations

import time
from collections import Counter

from relay.schema.compatibility import Rule
from tests.oracle.java import AVRO_VERSION, Java
from tests.oracle.pairs import SHOWN, Pairs, exit_with
from tests.oracle.verdict import Verdict, agree, our_verdict

SEED = 20_000


def main() -> int:
    """Runs the comparison; 1 when the two sides differ anywhere, or a rule was never broken."""
    pairs = Pairs.from_command_line("tests.oracle", __doc__, SEED)
    java = Java()
    outcomes: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    disagreements = 0
    began = time.monotonic()
    for number, reader, writer in pairs:
        ours, theirs = our_verdict(reader, writer), java.verdict(reader, writer)
        outcomes[theirs.outcome] += 1
        rules.update(ours.rules)
        same = agree(ours, theirs)
        disagreements += not same
        if pairs.single or (not same and disagreements <= SHOWN):
            print(pairs.title(number, reader, writer))
            _show(ours, theirs)
    _count("outcome", outcomes)
    _count("rule", rules)
    seconds = time.monotonic() - began
    print(f"seed {pairs.seed}, Avro for Java {AVRO_VERSION}, {seconds:.0f} s")
    unbroken = [str(rule) for rule in Rule if rule not in rules]
    if unbroken and not pairs.single:
        print(f"no pair breaks {', '.join(unbroken)}: take more pairs or another seed")
    print(f"{len(pairs.numbers)} pairs, {disagreements} disagreements")
    return 1 if disagreements or (unbroken and not pairs.single) else 0


def _show(ours: Verdict, theirs: Verdict) -> None:
    for name, verdict in (("here", ours), ("Java", theirs)):
        print(f"  {name}: {verdict.outcome} {', '.join(sorted(verdict.rules))}")
        for note in verdict.notes:
            print(f"    {note}")


def _count(what: str, counts: Counter[str]) -> None:
    for name, count in sorted(counts.items()):
        print(f"{what} {name}: {count}")


if __name__ == "__main__":
    exit_with(main)
