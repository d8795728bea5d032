"""The embedded schema registry: Confluent's HTTP API over the relay's own PostgreSQL."""

from relay.registry.server.app import build_app
from relay.registry.server.serve import serve

__all__ = ["build_app", "serve"]
