"""PostgreSQL and Kafka from testcontainers, for EVENT_BUS_TEST_STACK=containers."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import psycopg
from psycopg import sql
from testcontainers.community.kafka import KafkaContainer
from testcontainers.community.postgres import PostgresContainer

from relay.local.ports import free_port

__all__ = ["ContainerKafka", "ContainerPostgres"]

_POSTGRES_IMAGE = "postgres:18-alpine"
_KAFKA_IMAGE = "confluentinc/cp-kafka:8.1.0"


class _Container:
    """A container that can be frozen and killed as a local server can."""

    container: Any
    _started = False

    def __enter__(self) -> Any:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.container.stop()

    def start(self) -> None:
        """Starts the container, or starts it again after `stop` or `kill`."""
        if self._started:
            self.container.get_wrapped_container().start()
        else:
            self.container.start()
            self._started = True

    def stop(self) -> None:
        self.container.get_wrapped_container().stop()

    def kill(self) -> None:
        self.container.get_wrapped_container().kill()

    def pause(self) -> None:
        self.container.get_wrapped_container().pause()

    def resume(self) -> None:
        self.container.get_wrapped_container().unpause()


class ContainerPostgres(_Container):
    """PostgreSQL 18 in a container."""

    def __init__(self) -> None:
        # A fixed port: a container that is started again would get another one.
        self.container = (
            PostgresContainer(_POSTGRES_IMAGE, driver=None)
            .with_command("postgres -c max_connections=200 -c max_prepared_transactions=20")
            .with_bind_ports(5432, free_port())
        )

    @property
    def url(self) -> str:
        return str(self.container.get_connection_url())

    def url_of(self, database: str) -> str:
        return f"{self.url.rpartition('/')[0]}/{database}"

    def create_database(self, name: str, template: str = "template1") -> str:
        self._execute(
            sql.SQL("create database {} template {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        return self.url_of(name)

    def drop_database(self, name: str) -> None:
        self._execute(
            sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
        )

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
            connection.execute(statement)


class ContainerKafka(_Container):
    """Kafka in KRaft mode in a container."""

    def __init__(self) -> None:
        self.container = (
            KafkaContainer(_KAFKA_IMAGE)
            .with_kraft()
            .with_bind_ports(9093, free_port())
            .with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
            .with_env("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1")
            .with_env("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1")
            .with_env("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0")
            .with_env("KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS", "1000")
        )

    @property
    def bootstrap_servers(self) -> str:
        return str(self.container.get_bootstrap_server())
