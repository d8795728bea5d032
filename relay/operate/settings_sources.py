"""Where each setting comes from, in a form that may be shown to anybody."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_settings import (
    DotEnvSettingsSource,
    EnvSettingsSource,
    TomlConfigSettingsSource,
)

from relay.settings import Settings

__all__ = ["Setting", "describe_settings"]

_PASSWORD_IN_URL = re.compile(r"(?<=://)([^/@\s]*?):([^/@\s]*)@")
_PASSWORD_PARAMETER = re.compile(r"((?:password|sslpassword)=)[^&\s]+")
_SECRET_OPTION = re.compile(r"password|secret|token|credential|\.key$|\.pem$|sasl\.jaas", re.I)
_MASK = "***"


@dataclass(frozen=True, slots=True)
class Setting:
    """name: of the environment variable. value: without secrets. source: environment, .env, the
    TOML file's name, or default."""

    name: str
    value: str
    source: str


def describe_settings(settings: Settings) -> Iterator[Setting]:
    """All settings in the order of their definition."""
    toml = Path(os.environ.get("EVENT_BUS_CONFIG_FILE", "relay.toml"))
    sources: list[tuple[str, dict[str, Any]]] = [
        ("environment", EnvSettingsSource(Settings)()),
        (".env", DotEnvSettingsSource(Settings)()),
        (str(toml), TomlConfigSettingsSource(Settings, toml_file=toml)()),
    ]
    for name in Settings.model_fields:
        source = next((where for where, found in sources if name in found), "default")
        yield Setting(f"EVENT_BUS_{name.upper()}", _shown(name, getattr(settings, name)), source)


def _shown(name: str, value: Any) -> str:
    if name == "kafka_options":
        return str(
            {
                option: _MASK if _SECRET_OPTION.search(option) else content
                for option, content in value.items()
            }
        )
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return mask(str(value))


def mask(text: str) -> str:
    """A text without the passwords of URLs in it."""
    return _PASSWORD_PARAMETER.sub(rf"\1{_MASK}", _PASSWORD_IN_URL.sub(rf"\1:{_MASK}@", text))
