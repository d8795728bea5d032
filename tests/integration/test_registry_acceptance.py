"""The embedded registry and Apicurio's, each asked the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests import apicurio
from tests.integration.registry_cases import CASES, FAILURE, Case, Step
from tests.integration.registry_servers import Asking, unused_subject

APICURIO = pytest.param(
    "apicurio",
    marks=pytest.mark.skipif(
        not apicurio.wanted(), reason="EVENT_BUS_TEST_REGISTRY=apicurio compares with Apicurio"
    ),
)


@pytest.fixture(scope="module", params=["embedded", APICURIO])
def registry(request: pytest.FixtureRequest) -> Iterator[tuple[str, Asking]]:
    """(which, requests to it)."""
    if request.param == "embedded":
        yield "embedded", Asking(request.getfixturevalue("registry_url"))
        return
    yield "apicurio", Asking(request.getfixturevalue("apicurio_url"), strict=False)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_registry_answers_as_the_table_says(registry: tuple[str, Asking], case: Case) -> None:
    which, ask = registry
    own = {"{s}": unused_subject(), "{o}": unused_subject()}
    for step in case.before:
        status, content = _send(ask, step, own)
        assert status == 200, (step, content)

    status, content = _send(ask, case.asked, own)

    expected = case.answer
    if which == "apicurio" and case.apicurio is not None:
        assert case.why
        expected = case.apicurio
    if expected is FAILURE:
        assert status == 500, content
    elif isinstance(expected, int) and expected > 400:
        assert (status >= 400, content.get("error_code")) == (True, expected), content
    else:
        assert status == 200, content
        _matches(content, _filled(expected, own), strict=which == "embedded")


def _send(ask: Asking, step: Step, own: dict[str, str]) -> tuple[int, Any]:
    return ask(step.method, _filled(step.address, own), _filled(step.body, own))


def _filled(value: Any, own: dict[str, str]) -> Any:
    match value:
        case str():
            for mark, name in own.items():
                value = value.replace(mark, name)
            return value
        case list() | tuple():
            return [_filled(one, own) for one in value]
        case dict():
            return {key: _filled(one, own) for key, one in value.items()}
    return value


def _matches(found: Any, expected: Any, *, strict: bool) -> None:
    """strict: no other fields than those that are expected."""
    match expected:
        case "id":
            assert isinstance(found, int)
            assert found > 0
        case "text":
            assert isinstance(found, str)
        case dict():
            assert set(found) == set(expected) if strict else set(found) >= set(expected)
            for key, one in expected.items():
                _matches(found[key], one, strict=strict)
        case list() if all(isinstance(one, dict | str) for one in expected):
            assert len(found) >= len(expected)
            for one, wanted in zip(found, expected, strict=False):
                _matches(one, wanted, strict=strict)
        case _:
            assert found == expected
