"""Wrong settings are one line that names the setting and says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from relay.cli import output
from relay.errors import ConfigurationInvalid
from relay.operate.settings_sources import describe_settings
from relay.settings import load_settings, unknown_variables


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVENT_BUS_DATABASE_URL", "postgresql://u@h/db")
    monkeypatch.setenv("EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS", "h:9092")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'shards = "x', "relay.toml can't be read as TOML"),
        (b"\xff\xfe", "relay.toml can't be read as TOML"),
        (b"shrads = 5", "no setting 'shrads'. Did you mean 'shards'"),
        (b"colour = 5", "no setting 'colour'. Remove it"),
        (b"shards = 0", "EVENT_BUS_SHARDS: "),
    ],
)
def test_a_wrong_file_is_one_line(content: bytes, message: str) -> None:
    Path("relay.toml").write_bytes(content)
    with pytest.raises(ConfigurationInvalid, match=message) as raised:
        load_settings()
    assert "\n" not in str(raised.value)


def test_a_file_that_is_named_and_missing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    load_settings()
    monkeypatch.setenv("EVENT_BUS_CONFIG_FILE", "other.toml")
    with pytest.raises(ConfigurationInvalid, match=r"names other\.toml, which does not exist"):
        load_settings()
    Path("other.toml").write_text("shards = 5\n")
    assert load_settings().shards == 5
    found = {setting.name: setting for setting in describe_settings(load_settings())}
    assert found["EVENT_BUS_SHARDS"].source == "other.toml"


def test_a_missing_setting_says_how_to_set_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVENT_BUS_DATABASE_URL")
    with pytest.raises(ConfigurationInvalid, match=r"EVENT_BUS_DATABASE_URL: not set.*stack up"):
        load_settings()


def test_variables_that_nothing_reads_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENT_BUS_LOG_LEVEL", "INFO")
    assert unknown_variables() == []
    monkeypatch.setenv("EVENT_BUS_SHARD", "8")
    (problem,) = unknown_variables()
    assert problem.startswith("EVENT_BUS_SHARD is set")
    assert "Did you mean 'shards'?" in problem


def test_a_table_cuts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 300
    output.print_table(("id", "count"), [(long, 1_234_567)])
    printed = capsys.readouterr().out
    assert long in printed
    assert "1,234,567" in printed
    assert "…" not in printed
