"""The embedded schema registry: Confluent's HTTP API over the relay's own PostgreSQL."""

from relay.registry.app import build_app
from relay.registry.serve import serve

__all__ = ["build_app", "serve"]
