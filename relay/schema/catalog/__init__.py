"""The catalog: what the schemas folder says about domains, event types, versions and groups."""

from relay.schema.catalog.catalog import Catalog
from relay.schema.catalog.entries import Domain, EventType, SchemaVersion, State

__all__ = ["Catalog", "Domain", "EventType", "SchemaVersion", "State"]
