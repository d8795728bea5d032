"""Settings of the local stack alone; the relay itself never reads them."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["LocalSettings"]


def _default_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "outbox-relay"


class LocalSettings(BaseSettings):
    """Environment variables `EVENT_BUS_LOCAL_*`, each by its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="EVENT_BUS_LOCAL_", extra="ignore", frozen=True)

    cache_dir: Path = Field(
        default_factory=_default_cache,
        description="where Kafka is downloaded to once, shared by all stacks",
    )
    start_timeout_seconds: float = Field(
        default=60.0, gt=0, description="longest wait for a server to answer"
    )
