"""AsyncAPI's servers: the Kafka brokers, without secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

__all__ = ["Brokers", "security_schemes", "servers"]

# librdkafka's sasl.mechanism -> AsyncAPI's type.
SASL = {
    "PLAIN": "plain",
    "SCRAM-SHA-256": "scramSha256",
    "SCRAM-SHA-512": "scramSha512",
    "GSSAPI": "gssapi",
}
PLACEHOLDER = {
    "host": "{bootstrapServer}",
    "variables": {
        "bootstrapServer": {
            "default": "localhost:9092",
            "description": "host:port of a broker; EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS was not set.",
        }
    },
}


@dataclass(frozen=True)
class Brokers:
    """The Kafka brokers. bootstrap: host:port[,host:port...], empty when it is not known.

    registry_url: of the schema registry. options: of librdkafka; only security.protocol and
    sasl.mechanism are used.
    """

    bootstrap: str = ""
    registry_url: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


def servers(brokers: Brokers) -> dict[str, Any]:
    """Returns AsyncAPI's Servers Object: one for each bootstrap server, or a placeholder."""
    hosts = [host.strip() for host in brokers.bootstrap.split(",") if host.strip()]
    protocol = str(brokers.options.get("security.protocol", "plaintext")).lower()
    binding = {
        "schemaRegistryUrl": _without_user(brokers.registry_url),
        "schemaRegistryVendor": "confluent",
        "bindingVersion": "0.5.0",
    }
    if not brokers.registry_url:
        del binding["schemaRegistryUrl"]
    common: dict[str, Any] = {
        "protocol": "kafka-secure" if protocol.endswith("ssl") else "kafka",
        "bindings": {"kafka": binding},
    }
    if security_schemes(brokers):
        common["security"] = [{"$ref": "#/components/securitySchemes/sasl"}]
    if not hosts:
        return {"kafka": {**PLACEHOLDER, **common}}
    if len(hosts) == 1:
        return {"kafka": {"host": hosts[0], **common}}
    return {f"kafka-{n}": {"host": host, **common} for n, host in enumerate(hosts, 1)}


def security_schemes(brokers: Brokers) -> dict[str, Any]:
    """Returns AsyncAPI's security schemes; empty without SASL."""
    if not str(brokers.options.get("security.protocol", "")).lower().startswith("sasl"):
        return {}
    mechanism = str(
        brokers.options.get("sasl.mechanism") or brokers.options.get("sasl.mechanisms", "GSSAPI")
    )
    kind = SASL.get(mechanism.upper(), "asymmetricEncryption")
    return {"sasl": {"type": kind, "description": f"SASL, {mechanism.upper()}."}}


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
