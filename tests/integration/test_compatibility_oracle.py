"""The verdict on generated pairs of schemas is the one of Avro for Java, which really runs."""

from __future__ import annotations

import subprocess
import sys

from relay.schema.compatibility import Rule


def test_java_says_the_same_of_generated_pairs() -> None:
    # A process of its own, since the virtual machine can't leave one that it is loaded into.
    run = subprocess.run(
        [sys.executable, "-m", "tests.oracle", "--pairs", "500", "--seed", "1"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    lines = run.stdout.splitlines()
    assert lines[-1] == "500 pairs, 0 disagreements"
    assert all(any(line.startswith(f"rule {rule}: ") for line in lines) for rule in Rule)
    assert all(
        any(line.startswith(f"outcome {outcome}: ") for line in lines)
        for outcome in ("compatible", "incompatible", "ambiguous")
    )
