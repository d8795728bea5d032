"""Verdicts on generated pairs of schemas, and the values that are read with the one of what was
written with the other, are those of Avro for Java, which really runs."""

from __future__ import annotations

import subprocess
import sys

from relay.schema.compatibility import Rule


def printed_by(program: str, pairs: int) -> list[str]:
    """The lines of a comparison that must find no disagreement."""
    # A process of its own, since the virtual machine can't leave one that it is loaded into.
    run = subprocess.run(
        [sys.executable, "-m", program, "--pairs", str(pairs), "--seed", "1"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout.splitlines()


def test_java_says_the_same_of_generated_pairs() -> None:
    lines = printed_by("tests.oracle", 500)

    assert lines[-1] == "500 pairs, 0 disagreements"
    assert all(any(line.startswith(f"rule {rule}: ") for line in lines) for rule in Rule)
    assert all(
        any(line.startswith(f"outcome {outcome}: ") for line in lines)
        for outcome in ("compatible", "incompatible", "ambiguous")
    )


def test_java_reads_the_same_values() -> None:
    assert printed_by("tests.oracle.values", 300)[-1].endswith("values, 0 disagreements")
