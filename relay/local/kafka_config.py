"""Configuration of the local Kafka broker and its Java."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from relay.local.ports import HOST

__all__ = ["Profile", "broker_properties", "java_options", "render"]

Profile = Literal["small", "measuring"]

_JAVA_OPTIONS: dict[Profile, tuple[str, ...]] = {
    # For a short life beside the tests: quick to start, small.
    "small": ("-Xms256m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
    # For figures: what a small production broker would get.
    "measuring": ("-Xms1G", "-Xmx1G", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"),
}
_LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
)
_DEFAULTS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    # A missing topic must be an error as in production.
    "auto.create.topics.enable": "false",
    # One broker holds the only copy of everything.
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # Few partitions of the broker's own topics: quicker to start and to recover.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "1",
    "log.segment.bytes": str(64 * 1024 * 1024),
    "log.index.size.max.bytes": str(1024 * 1024),
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
    "log.cleaner.threads": "1",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "num.recovery.threads.per.data.dir": "2",
    "group.initial.rebalance.delay.ms": "0",
    # Expired transactions are aborted at once, not ten seconds later.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    # A killed broker can register again only after its former session has expired. A shorter one
    # ends when the machine is busy for a moment, and then every partition is without a leader.
    "broker.heartbeat.interval.ms": "200",
    "broker.session.timeout.ms": "5000",
}


def broker_properties(
    *, port: int, controller_port: int, data: Path, extra: Mapping[str, str]
) -> dict[str, str]:
    """Returns the properties of a single node that is broker and controller.

    port, controller_port: TCP ports on 127.0.0.1. extra: overrides everything else.
    """
    return {
        **_DEFAULTS,
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "log.dirs": str(data),
        **extra,
    }


def java_options(profile: Profile) -> list[str]:
    """Returns the options of the Java that runs the broker."""
    return [*_JAVA_OPTIONS[profile], *_LOGGING, "-Djava.awt.headless=true"]


def render(properties: Mapping[str, str]) -> str:
    """Formats `properties` for java.util.Properties, where a backslash escapes."""
    lines = (f"{name}={value.replace(chr(92), chr(92) * 2)}" for name, value in properties.items())
    return "\n".join(lines) + "\n"
