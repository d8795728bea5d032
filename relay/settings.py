"""Settings: environment variables `EVENT_BUS_*`, a `.env` file or a TOML file."""

from __future__ import annotations

import os
import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from relay.errors import ConfigurationInvalid

__all__ = ["Settings", "load_settings"]

# librdkafka options whose value the promise depends on (H14); the relay sets them itself.
RESERVED_KAFKA_OPTIONS = frozenset(
    {
        "acks",
        "auto.offset.reset",
        "bootstrap.servers",
        "client.rack",
        "enable.auto.commit",
        "enable.idempotence",
        "group.id",
        "group.instance.id",
        "isolation.level",
        "metadata.broker.list",
        "partitioner",
        "request.required.acks",
        "transactional.id",
    }
)


class Settings(BaseSettings):
    """Everything that can be set, each by `EVENT_BUS_` and its name in capitals.

    Order of precedence: arguments, environment, `.env` in the current folder,
    the TOML file named by `EVENT_BUS_CONFIG_FILE` (default `relay.toml`, may be absent).
    """

    model_config = SettingsConfigDict(
        env_prefix="EVENT_BUS_", env_file=".env", extra="ignore", frozen=True
    )

    database_url: str = Field(description="PostgreSQL, postgresql://user:password@host:port/db")
    kafka_bootstrap_servers: str = Field(description="host:port[,host:port...]")
    kafka_options: dict[str, Any] = Field(
        default_factory=dict, description="JSON of further librdkafka options: TLS, SASL, ..."
    )
    schema_registry_url: str = Field(
        default="http://127.0.0.1:8081", description="any registry that speaks Confluent's API"
    )
    schemas_dir: Path = Field(default=Path("schemas"), description="the catalog's folder")
    consumers: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="importable modules of consumer groups, separated by commas"
    )
    name: str = Field(
        default="outbox",
        pattern=r"^[a-zA-Z0-9_-]{1,60}$",
        description="the relay's name, part of its topic and transactional ids",
    )
    shards: int = Field(default=4, ge=1, le=256, description="pinned when the relay is created")
    delivery_interval_ms: int = Field(
        default=100, ge=1, le=60_000, description="longest pause between polls of an idle outbox"
    )
    page_rows: int = Field(default=20_000, ge=1, le=200_000, description="rows read at once")
    max_attempts: int = Field(
        default=5, ge=1, le=1000, description="tries of an event before it is dead"
    )
    backoff_initial_ms: int = Field(default=1_000, ge=1, description="pause after the first try")
    backoff_max_ms: int = Field(default=300_000, ge=1, description="longest pause between tries")
    backoff_multiplier: float = Field(default=2.0, ge=1.0, description="growth of the pause")
    delivery: Literal["exactly-once", "at-least-once"] = "exactly-once"
    transport: Literal["kafka", "in-process"] = "kafka"
    on_dead: Literal["hold", "skip"] = Field(
        default="hold", description="what later events of an aggregate do behind a dead one"
    )
    session_timeout_ms: int = Field(
        default=6_000, ge=1_000, description="after this long without a sign a worker is lost"
    )
    transaction_timeout_ms: int = Field(default=10_000, ge=1_000)
    retire_quiet_days: int = Field(
        default=7,
        ge=0,
        le=3650,
        description="a version decoded within so many days is not retired, unless forced",
    )
    replication_factor: int | None = Field(
        default=None, ge=1, description="of topics the relay creates; default 3, or all brokers"
    )

    @field_validator("consumers", mode="before")
    @classmethod
    def _split_consumers(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("transport")
    @classmethod
    def _refuse_what_is_not_there(cls, value: str) -> str:
        if value == "in-process":
            raise ValueError("in-process is not available in this version. Set it to kafka")
        return value

    @field_validator("kafka_options")
    @classmethod
    def _refuse_reserved_options(cls, value: dict[str, Any]) -> dict[str, Any]:
        if reserved := sorted(RESERVED_KAFKA_OPTIONS & value.keys()):
            raise ValueError(
                f"{', '.join(reserved)} can't be set: exactly-once delivery depends on the "
                "values that the relay chooses. Take them out"
            )
        return value

    @cached_property
    def positions_topic(self) -> str:
        """Name of the compacted topic that holds one position record a shard."""
        return f"relay.{self.name}.positions"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        toml = Path(os.environ.get("EVENT_BUS_CONFIG_FILE", "relay.toml"))
        return (
            init_settings,
            env_settings,
            dotenv_settings,
            TomlConfigSettingsSource(settings_cls, toml_file=toml),
        )


def load_settings(**overrides: Any) -> Settings:
    """Settings from all sources.

    overrides: values that win over every source, by field name.
    Raises ConfigurationInvalid in one line that names each setting and what is wrong with it.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = "; ".join(
            f"EVENT_BUS_{'_'.join(str(part) for part in found['loc'][:1]).upper()}: "
            f"{found['msg'].removeprefix('Value error, ')}"
            for found in error.errors()
        )
        raise ConfigurationInvalid(f"bad settings: {problems}") from error
    except SettingsError as error:
        # pydantic-settings names the field, people know the variable.
        field = re.search(r'field "(\w+)"', str(error))
        name = f"EVENT_BUS_{field[1].upper()}" if field else "settings"
        raise ConfigurationInvalid(
            f"bad settings: {name} can't be read as JSON: {error.__cause__ or error}"
        ) from error
