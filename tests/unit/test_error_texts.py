"""Any error's message can be stored, whoever wrote it."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import described, said
from relay.postgres.connect import storable


class Untold(Exception):
    """Has a message that can't be read."""

    def __str__(self) -> str:
        raise SystemExit(1)


@given(st.text(st.characters(codec=None) | st.sampled_from("\0\ud83d\ude00")))
def test_every_string_can_be_stored_by_postgresql_and_json(text: str) -> None:
    kept = storable(text)
    assert "\0" not in kept
    assert orjson.loads(orjson.dumps(kept)) == kept
    assert storable(kept) == kept


def test_a_storable_string_is_unchanged() -> None:
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
def test_an_error_without_a_message_is_named_by_its_class(
    error: BaseException, text: str, full: str
) -> None:
    assert (said(error), described(error)) == (text, full)
