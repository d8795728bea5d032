"""Settings: environment variables `EVENT_BUS_*`, a `.env` file or a TOML file."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
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

__all__ = ["ConfigFile", "Settings", "load_settings", "unknown_variables"]

# librdkafka options that exactly-once delivery (H14) and the order of a key (H31) depend on; the
# relay sets them itself.
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
        "group.protocol",
        "heartbeat.interval.ms",
        "isolation.level",
        "max.poll.interval.ms",
        "metadata.broker.list",
        "partition.assignment.strategy",
        "partitioner",
        "request.required.acks",
        "session.timeout.ms",
        "transactional.id",
    }
)


# Variables that are read elsewhere, without the prefix.
_OTHER_VARIABLES = {"CONFIG_FILE", "LOG_LEVEL", "SUPERVISOR_PID"}
_NOT_SET = 'not set. Set it; for a local stack: relay stack up, then eval "$(relay stack env)"'


class Settings(BaseSettings):
    """All settings; as environment variables: `EVENT_BUS_` and the name in capitals.

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
        default="hold", description="what later events of an aggregate do after a dead one"
    )
    session_timeout_ms: int = Field(
        default=6_000, ge=1_000, description="a worker that is silent for this long is lost"
    )
    transaction_timeout_ms: int = Field(default=10_000, ge=1_000)
    retire_quiet_days: int = Field(
        default=7,
        ge=0,
        le=3650,
        description="a version decoded within so many days is not retired, unless forced",
    )
    retention_days: int = Field(
        default=30, ge=0, le=36_500, description="how long relay prune keeps delivered events"
    )
    inbox_retention_days: int = Field(
        default=30,
        ge=1,
        le=36_500,
        description="how long relay prune keeps inbox rows and settled dead letters; longer than "
        "the topics keep their records",
    )
    pruned_retention_days: int = Field(
        default=365, ge=1, le=36_500, description="how long the ids of pruned events are known"
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
    def _refuse_missing_transport(cls, value: str) -> str:
        if value == "in-process":
            raise ValueError("in-process is not available in this version. Set it to kafka")
        return value

    @field_validator("kafka_options")
    @classmethod
    def _refuse_reserved_options(cls, value: dict[str, Any]) -> dict[str, Any]:
        if reserved := sorted(RESERVED_KAFKA_OPTIONS & value.keys()):
            raise ValueError(
                f"{', '.join(reserved)} can't be set: exactly-once delivery depends on the "
                "values that the relay chooses. Remove them"
            )
        return value

    @cached_property
    def positions_topic(self) -> str:
        """Name of the compacted topic with one position record per shard."""
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
        return init_settings, env_settings, dotenv_settings, ConfigFile(settings_cls)


class ConfigFile(TomlConfigSettingsSource):
    """The TOML file that EVENT_BUS_CONFIG_FILE names, by default relay.toml, which may be absent.

    Raises ConfigurationInvalid for a file that can't be read or has an unknown setting.
    """

    def __init__(self, settings_cls: type[BaseSettings] = Settings) -> None:
        named = os.environ.get("EVENT_BUS_CONFIG_FILE")
        self.path = Path(named or "relay.toml")
        if named and not self.path.exists():
            raise ConfigurationInvalid(
                f"EVENT_BUS_CONFIG_FILE names {named}, which does not exist. Create it or correct "
                "the name"
            )
        try:
            super().__init__(settings_cls, toml_file=self.path)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationInvalid(
                f"{self.path} can't be read as TOML: {error}. Correct the file"
            ) from error
        for name in self.toml_data.keys() - settings_cls.model_fields.keys():
            raise ConfigurationInvalid(
                f"{self.path}: there is no setting {name!r}{_similar(name, settings_cls)}"
            )


def unknown_variables() -> list[str]:
    """Lists environment variables `EVENT_BUS_*` that nothing reads, each with what may be meant."""
    prefix = "EVENT_BUS_"
    names = {name.removeprefix(prefix) for name in os.environ if name.startswith(prefix)}
    read = {name.upper() for name in Settings.model_fields} | _OTHER_VARIABLES
    return [
        f"{prefix}{name} is set, and there is no such setting{_similar(name.lower(), Settings)}"
        for name in sorted(names - read)
        if not name.startswith(("TEST_", "LOCAL_"))
    ]


def _similar(name: str, settings_cls: type[BaseSettings]) -> str:
    found = get_close_matches(name, settings_cls.model_fields, n=1)
    return f". Did you mean {found[0]!r}?" if found else ". Remove it"


def load_settings(**overrides: Any) -> Settings:
    """Reads the settings from all sources.

    overrides: values that override every source, by field name.
    Raises ConfigurationInvalid in one line that names each wrong setting and the problem.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = "; ".join(
            f"EVENT_BUS_{'_'.join(str(part) for part in found['loc'][:1]).upper()}: "
            + (
                _NOT_SET
                if found["type"] == "missing"
                else found["msg"].removeprefix("Value error, ")
            )
            for found in error.errors()
        )
        raise ConfigurationInvalid(f"bad settings: {problems}") from error
    except SettingsError as error:
        # pydantic-settings names the field, users know the variable.
        field = re.search(r'field "(\w+)"', str(error))
        name = f"EVENT_BUS_{field[1].upper()}" if field else "settings"
        raise ConfigurationInvalid(
            f"bad settings: {name} can't be read as JSON: {error.__cause__ or error}"
        ) from error


def _problem(found: Mapping[str, Any]) -> str:
    return _NOT_SET if found["type"] == "missing" else found["msg"].removeprefix("Value error, ")
