"""The embedded schema registry: a server with Confluent's HTTP API, kept in PostgreSQL."""

from relay.registry.app import build_app
from relay.registry.serve import serve

__all__ = ["build_app", "serve"]
