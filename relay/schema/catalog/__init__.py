"""The schemas folder as objects: domains, event types, versions and their states."""

from relay.schema.catalog.catalog import Catalog
from relay.schema.catalog.entries import Domain, EventType, SchemaVersion, State

__all__ = ["Catalog", "Domain", "EventType", "SchemaVersion", "State"]
