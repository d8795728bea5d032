"""python -m tests.oracle.values --pairs 20000: compares what we read with what Java reads.

Values are written with one of two generated schemas and read with the other, here and by Java's
GenericDatumReader with its conversions of logical types. The last line is the number of values and
of disagreements. A pair follows from the seed and its number alone.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from typing import Any

from relay.errors import CatalogInvalid, PayloadInvalid
from relay.schema.avro.decoder import compile_resolver
from relay.schema.avro.parse import read_schema
from relay.schema.avro.plain import write
from relay.schema.checks.aliases import taken_aliases
from relay.schema.checks.lint_versions import lint_versions
from relay.schema.checks.samples import TooLarge, samples
from relay.schema.majors.converters import reads
from tests.oracle.java import Java, JavaFailed
from tests.oracle.pairs import SHOWN, Pairs, exit_with

SEED = 30_000
_FRACTION = re.compile(r"(?<=:\d\d)\.\d+")
_VALUES = 12
# What Java reads and we refuse, by the reason that we give.
STRICTER = (
    "not UTF-8",  # Java replaces these bytes
    "is not a time of day",
    "years 1 to 9999",
    "not a uuid",  # Java takes shorter ones
    "nested too deeply",
)


def main() -> int:
    """Runs the comparison; 1 when the two sides differ anywhere, or nothing was read."""
    pairs = Pairs.from_command_line("tests.oracle.values", __doc__, SEED)
    java = Java()
    outcomes: Counter[str] = Counter()
    shown = 0
    began = time.monotonic()
    for number, reader, writer in pairs:
        for value, ours, theirs in compared(java, reader, writer):
            outcome = verdict(ours, theirs)
            if outcome == "disagreement" and not reads(json.loads(reader), json.loads(writer)):
                # Java finds no fault with a record of another name, for one.
                outcome = "incompatible, though Java reads it"
            if outcome == "disagreement" and amounts_are_kept(reader, writer):
                outcome = "another amount to Java"
            if outcome == "disagreement" and any(taken_aliases(read_schema(json.loads(reader)))):
                outcome = "an alias hides another type from Java"
            outcomes[outcome] += 1
            if outcome == "disagreement" and shown < SHOWN:
                shown += 1
                print(pairs.title(number, reader, writer))
                print(f"  value {value}\n  here {ours}\n  Java {theirs}")
    for name, count in sorted(outcomes.items()):
        print(f"{name}: {count}")
    print(f"seed {pairs.seed}, {time.monotonic() - began:.0f} s")
    print(f"{sum(outcomes.values())} values, {outcomes['disagreement']} disagreements")
    return 1 if outcomes["disagreement"] or not outcomes["the same"] else 0


def compared(java: Java, reader: str, writer: str) -> Any:
    """Yields values of the writer, with what we and what Java read; an error where it failed."""
    try:
        root = read_schema(json.loads(writer))
        decode = compile_resolver(json.loads(writer), json.loads(reader))
        read = java.value_reader(writer, reader)
        found = samples(root, limit=_VALUES)
    except (CatalogInvalid, JavaFailed, TooLarge):
        return
    for value in found:
        encoded = write(root, value)
        yield value, _attempt(decode, encoded), _attempt(read, encoded)


def _attempt(read: Any, encoded: bytes) -> Any:
    try:
        return read(encoded)
    except (PayloadInvalid, JavaFailed) as error:
        return error


def verdict(ours: Any, theirs: Any) -> str:
    """What the two sides make of one value."""
    if isinstance(theirs, Exception):
        return "neither reads it" if isinstance(ours, Exception) else "only we read it"
    if isinstance(ours, Exception):
        known = any(reason in str(ours) for reason in STRICTER)
        return "we refuse it" if known else "disagreement"
    return "the same" if _text(ours) == _text(theirs) else "disagreement"


def amounts_are_kept(reader: str, writer: str) -> bool:
    """Whether decimals or times differ in scale or unit, which `relay schemas check` refuses."""
    found = lint_versions(json.loads(writer), json.loads(reader))
    return any(one.rule in {"decimal-scale", "time-unit"} for one in found)


def _text(value: Any) -> str:
    # repr distinguishes -0.0 from 0.0, and the type 1 from 1.0 and True. Java's times don't have
    # the digits of their type.
    return _FRACTION.sub(lambda found: found[0].rstrip("0").rstrip("."), repr(value))


if __name__ == "__main__":
    exit_with(main)
