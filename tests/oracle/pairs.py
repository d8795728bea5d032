"""The generated pairs of schemas, and what the two comparisons on the command line share."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from relay.errors import RelayError
from tests.oracle.generate import Generator
from tests.oracle.graph import written
from tests.oracle.mutate import changed

__all__ = ["SHOWN", "Pairs", "exit_with", "pair"]

# Disagreements that are printed.
SHOWN = 20
_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Pairs:
    """The pairs that the command line asks for. single: there is one, to be looked at."""

    seed: int
    numbers: range
    single: bool

    @classmethod
    def from_command_line(cls, program: str, words: str | None, seed: int) -> Pairs:
        """Reads `--pairs`, `--seed` and `--only`. words: for --help. seed: where none is given."""
        parser = argparse.ArgumentParser(prog=f"python -m {program}", description=words)
        parser.add_argument("--pairs", type=int, default=20_000)
        parser.add_argument("--seed", type=int, default=seed)
        parser.add_argument("--only", type=int, metavar="N", help="pair N alone")
        options = parser.parse_args()
        if options.only is not None:
            return cls(options.seed, range(options.only, options.only + 1), True)
        return cls(options.seed, range(options.pairs), False)

    def __iter__(self) -> Iterator[tuple[int, str, str]]:
        """Yields each pair's number, reader and writer, and shows the progress."""
        console = Console(stderr=True)
        columns = ("pairs", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            for number in progress.track(self.numbers):
                yield number, *pair(self.seed, number)
                if not console.is_terminal and number and number % 5_000 == 0:
                    print(f"{number} pairs", file=sys.stderr)

    def title(self, number: int, reader: str, writer: str) -> str:
        """A pair in three lines."""
        return f"pair {number} of seed {self.seed}\n  reader {reader}\n  writer {writer}"


def pair(seed: int, number: int) -> tuple[str, str]:
    """Texts of the reader's and the writer's schema."""
    random = Random(f"{seed}/{number}")
    one = Generator(random).any_type(_DEPTH)
    other = Generator(random).any_type(_DEPTH) if random.random() < 0.1 else changed(one, random)
    texts = [json.dumps(written(schema, random)) for schema in (one, other)]
    random.shuffle(texts)
    return texts[0], texts[1]


def exit_with(main: Callable[[], int]) -> None:
    """Ends the process with a comparison's status, or an error of the relay in one line."""
    try:
        sys.exit(main())
    except RelayError as error:
        print(f"oracle: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
