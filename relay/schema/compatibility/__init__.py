"""Whether data written with one Avro schema can be read with another, and if not, why.

The verdict is that of Java's `org.apache.avro.SchemaCompatibility` 1.12.1, whose rules most
registries apply; the reasons are made for people.
"""

from relay.schema.compatibility.explain import findings
from relay.schema.compatibility.finding import Finding
from relay.schema.compatibility.rules import Rule

__all__ = ["Finding", "Rule", "findings"]
