"""What an error says can be kept, whoever wrote it."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import described, said
from relay.postgres.connect import storable


class Untold(Exception):
    """Can't be asked."""

    def __str__(self) -> str:
        raise SystemExit(1)


@given(st.text(st.characters(codec=None) | st.sampled_from("\0\ud83d\ude00")))
def test_every_text_can_be_kept_by_postgresql_and_json(text: str) -> None:
    kept = storable(text)
    assert "\0" not in kept
    assert orjson.loads(orjson.dumps(kept)) == kept
    assert storable(kept) == kept


def test_text_that_can_be_kept_stays_as_it_is() -> None:
    assert storable("ünï 😀\n") == "ünï 😀\n"
    assert storable("a\0b\ud800c") == "a�b�c"


@pytest.mark.parametrize(
    ("error", "text", "full"),
    [
        (ValueError("no"), "no", "ValueError: no"),
        (ValueError(), "ValueError", "ValueError"),
        (SystemExit(2), "2", "SystemExit: 2"),
        (Untold(), "Untold", "Untold"),
    ],
)
def test_an_error_says_its_text_or_its_class(error: BaseException, text: str, full: str) -> None:
    assert (said(error), described(error)) == (text, full)
