"""The catalog: what the schemas folder says about domains, event types, versions and groups."""

from relay.catalog.catalog import Catalog
from relay.catalog.entries import Domain, EventType, SchemaVersion, State

__all__ = ["Catalog", "Domain", "EventType", "SchemaVersion", "State"]
