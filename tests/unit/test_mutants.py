"""The mutants of `make mutants` and `make chaos-mutants` fit the code that they change."""

from __future__ import annotations

import pytest

from tests.chaos.broken import BROKEN
from tests.mutants.__main__ import ROOT, found_in
from tests.mutants.rules import MUTANTS, Mutant


@pytest.mark.parametrize("mutant", [*MUTANTS, *BROKEN], ids=lambda mutant: mutant.name)
def test_a_mutant_finds_what_it_changes(mutant: Mutant) -> None:
    changed = found_in(ROOT, mutant)
    assert changed, f"{mutant.text!r} is nowhere in {mutant.files}: write the mutant anew"
    for path in changed:
        if path.suffix == ".py":
            compile(path.read_text().replace(mutant.text, mutant.replacement), path, "exec")
