"""A domain's compatibility level that changed: loosening it stops a check, tightening does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.schema.checks.levels import LevelChange, lost
from relay.schema.checks.report import Report, as_markdown, summary
from relay.schema.compatibility.levels import Level

LEVELS = st.sampled_from(Level)


def loosens(was: Level, now: Level) -> bool:
    return LevelChange("orders", was, now).loosened


@pytest.mark.parametrize(
    ("was", "now", "words"),
    [
        ("FULL", "NONE", ["on a new version may fail", "on an earlier version may fail"]),
        ("FULL", "BACKWARD", ["on an earlier version may fail"]),
        ("BACKWARD", "FORWARD", ["on a new version may fail"]),
        ("BACKWARD_TRANSITIVE", "BACKWARD", ["only with the latest"]),
        ("BACKWARD_TRANSITIVE", "FULL", ["only with the latest"]),
        ("BACKWARD_TRANSITIVE", "NONE", ["on a new version may fail"]),
        ("BACKWARD", "FULL_TRANSITIVE", []),
        ("NONE", "FORWARD", []),
    ],
)
def test_what_a_level_promises_less_is_reported(was: str, now: str, words: list[str]) -> None:
    found = list(lost(Level(was), Level(now)))
    assert len(found) == len(words)
    assert all(word in sentence for word, sentence in zip(words, found, strict=True))


@given(LEVELS, LEVELS, LEVELS)
def test_as_strict_or_stricter_is_an_order(one: Level, two: Level, three: Level) -> None:
    assert not loosens(one, one)
    assert one is two or loosens(one, two) or loosens(two, one)
    if not loosens(one, two) and not loosens(two, three):
        assert not loosens(one, three)


@given(LEVELS)
def test_nothing_is_looser_than_no_level_nor_stricter_than_all(level: Level) -> None:
    assert not loosens(Level.NONE, level)
    assert not loosens(level, Level.FULL_TRANSITIVE)


def report(was: str, now: str, *accepted: str) -> Report:
    change = LevelChange("orders", Level(was), Level(now), "orders" in accepted)
    return Report("main", (change,), ())


def line(found: Report) -> tuple[str, str]:
    """Weight and sentence of the level's line."""
    weight, _, sentence = as_markdown(found).splitlines()[-1].partition("** ")
    return weight.removeprefix("- **"), sentence


def test_a_loosened_level_stops_a_check_in_which_no_schema_changed() -> None:
    found = report("FULL", "NONE", "payments")
    weight, sentence = line(found)
    assert not found.passed
    assert weight == "error"
    assert "orders is NONE; in main it is FULL" in sentence
    assert sentence.endswith("accept it with --accept-level orders.")
    assert summary(found).endswith("Compatibility of orders is loosened: stopped.")


def test_a_loosened_level_that_is_accepted_stays_a_warning() -> None:
    found = report("FULL", "NONE", "orders")
    weight, sentence = line(found)
    assert found.passed
    assert (weight, sentence.endswith("accepted.")) == ("warning", True)
    assert "loosened" not in summary(found)


def test_a_tightened_level_is_a_note() -> None:
    found = report("BACKWARD", "FULL")
    assert found.passed
    assert line(found)[0] == "note"
