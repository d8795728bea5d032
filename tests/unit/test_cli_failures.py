"""The command line explains failures of servers and bad arguments in one line."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors
from typer.testing import CliRunner

from relay.cli import dlq
from relay.cli.failures import explain
from relay.cli.schemas_input import reason_of
from relay.errors import ConfigurationInvalid, DatabaseUnavailable, in_a_line
from relay.postgres.connect import connect
from relay.postgres.migrate import migrate


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.UndefinedTable("x"), "Run relay migrate"),
        (errors.InvalidSchemaName("x"), "Run relay migrate"),
        (errors.InsufficientPrivilege("x"), "another user in EVENT_BUS_DATABASE_URL"),
        (psycopg.OperationalError("server closed the connection"), "server closed"),
        (UnicodeEncodeError("utf-8", "a\udcff", 1, 2, "surrogates not allowed"), "is not UTF-8"),
    ],
)
def test_a_failure_of_a_server_is_one_line_that_says_what_to_do(
    error: Exception, words: str
) -> None:
    explanation = explain(error)
    assert explanation is not None
    assert words in explanation
    assert "\n" not in explanation


def test_an_error_of_the_program_keeps_its_traceback() -> None:
    for error in (
        ValueError("x"),
        errors.SyntaxError("x"),
        UnicodeEncodeError("ascii", "ü", 0, 1, ""),
    ):
        assert explain(error) is None


def test_an_unavailable_server_is_named_and_the_hint_is_left_out() -> None:
    with pytest.raises(DatabaseUnavailable, match="port 9 failed: Connection refused") as raised:
        connect("postgresql://nobody@127.0.0.1:9/x")
    assert "Is the server running" not in str(raised.value)
    assert in_a_line(psycopg.OperationalError("")) == "OperationalError('')"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:s3cret@h/db",
        "postgresql://u:s3cret%zz@h/db",
        "postgresql://u:s3cret more@h/db",
        "postgresql://u:s3cret@[::1/db",
    ],
)
@pytest.mark.parametrize("use", [connect, migrate])
def test_a_url_that_cannot_be_read_is_refused_without_its_password(url: str, use: object) -> None:
    assert callable(use)
    with pytest.raises(ConfigurationInvalid, match="EVENT_BUS_DATABASE_URL") as raised:
        use(url)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("since", ["99999999999d", "9999999d", "0001-01-01T00:00", "soon"])
def test_a_timestamp_that_does_not_exist_is_bad_use(since: str) -> None:
    result = CliRunner().invoke(dlq.app, ["list", "--since", since])
    assert isinstance(result.exception, ConfigurationInvalid)
    assert since in str(result.exception)


@pytest.mark.parametrize(("given", "kept"), [(None, None), ("", None), (" \t", None), (" a ", "a")])
def test_a_blank_reason_is_none(given: str | None, kept: str | None) -> None:
    assert reason_of(given) == kept
