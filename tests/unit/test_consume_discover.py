"""Modules of consumer groups that can't be imported are named, whatever they raise."""

from __future__ import annotations

from pathlib import Path

import pytest

from relay.consume.discover import discover
from relay.errors import ConfigurationInvalid


@pytest.mark.parametrize("code", ["raise SystemExit(0)", "raise SystemExit(2)", "1 / 0"])
def test_a_module_that_ends_the_program_when_it_is_imported_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    (tmp_path / "ends_when_imported.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigurationInvalid, match="'ends_when_imported' can't be imported"):
        discover(["ends_when_imported"])
