"""Lists settings with their sources and without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

from relay.settings import ConfigFile, Settings

__all__ = ["Setting", "describe_settings"]

_PASSWORD_IN_URL = re.compile(r"(?<=://)([^/@\s]*?):([^/@\s]*)@")
_PASSWORD_PARAMETER = re.compile(r"((?:password|sslpassword)=)[^&\s]+")
_SECRET_OPTION = re.compile(r"password|secret|token|credential|\.key$|\.pem$|sasl\.jaas", re.I)
_MASK = "***"


class Setting(NamedTuple):
    """name: of the environment variable. value: without secrets. source: environment, .env, the
    TOML file's name, or default."""

    name: str
    value: str
    source: str


def describe_settings(settings: Settings) -> Iterator[Setting]:
    """Lists all settings in the order of their definition."""
    file = ConfigFile()
    sources: list[tuple[str, dict[str, Any]]] = [
        ("environment", EnvSettingsSource(Settings)()),
        (".env", DotEnvSettingsSource(Settings)()),
        (str(file.path), file()),
    ]
    for name in Settings.model_fields:
        source = next((where for where, found in sources if name in found), "default")
        yield Setting(f"EVENT_BUS_{name.upper()}", _shown(name, getattr(settings, name)), source)


def _shown(name: str, value: Any) -> str:
    if name == "kafka_options":
        value = {
            option: _MASK if _SECRET_OPTION.search(option) else content
            for option, content in value.items()
        }
    elif isinstance(value, tuple):
        value = ",".join(map(str, value))
    without_userinfo = _PASSWORD_IN_URL.sub(rf"\1:{_MASK}@", str(value))
    return _PASSWORD_PARAMETER.sub(rf"\1{_MASK}", without_userinfo)
