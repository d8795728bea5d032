"""Decides whether data of one Avro schema can be read with another, and explains why not.

The result is that of Java's `org.apache.avro.SchemaCompatibility` 1.12.1, whose rules most
registries apply.
"""

from relay.schema.compatibility.explain import findings
from relay.schema.compatibility.rules import Finding, Rule

__all__ = ["Finding", "Rule", "findings"]
