"""JSON Schema (2020-12) of an event's payload in natural JSON.

It accepts what the strict encoder accepts. Only the encoder checks what JSON Schema can't express:
that a date is in the calendar, that a timestamp in UTC is within the years 1 to 9999, that 1.0 is
not an integer, that a double holds an integer exactly, that strings are valid Unicode, that a value
fits one branch of a union only, and how deeply recursive types nest.
"""

from __future__ import annotations

from typing import Any

from relay.schema.avro.decoder import natural_default
from relay.schema.avro.names import short_name
from relay.schema.avro.nodes import ABSENT, Field, Node, Schema
from relay.schema.avro.parse import read_schema
from relay.schema.catalog import SchemaVersion

__all__ = ["DIALECT", "payload_schema", "schema_of_version"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

DATE = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
OFFSET = r"([Zz]|[+-]([01][0-9]|2[0-3])(:[0-5][0-9](:[0-5][0-9])?)?)"
UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
# One digit, and one sign of the padding, each with the line break that may follow.
DIGIT, PAD = r"[A-Za-z0-9+/][\r\n]*", r"=[\r\n]*"
BASE64_ENDS = ("", f"({DIGIT}){{2}}({PAD}){{2}}", f"({DIGIT}){{3}}{PAD}")
BASE64 = rf"[\r\n]*(({DIGIT}){{4}})*({BASE64_ENDS[1]}|{BASE64_ENDS[2]})?"
# The smallest number that is too large: half a step above the largest float of 32 bits.
FLOAT_BOUND = 2.0**128 - 2.0**103
SIMPLE: dict[str, dict[str, Any]] = {
    "null": {"type": "null"},
    "boolean": {"type": "boolean"},
    "int": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "long": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "float": {"type": "number", "exclusiveMinimum": -FLOAT_BOUND, "exclusiveMaximum": FLOAT_BOUND},
    "double": {"type": "number"},
    "string": {"type": "string"},
    "bytes": {"type": "string", "contentEncoding": "base64", "pattern": f"^{BASE64}$"},
    "uuid": {"type": "string", "format": "uuid", "pattern": f"^{UUID}$"},
    "date": {"type": "string", "format": "date", "pattern": f"^{DATE}$"},
}


def schema_of_version(version: SchemaVersion) -> dict[str, Any]:
    """Returns a version's payload_schema with the $id `urn:event:<event type>:<version>`."""
    name = f"urn:event:{version.event_type}:{version.version}"
    return {"$schema": DIALECT, "$id": name, **payload_schema(version.avsc)}


def payload_schema(schema: Schema) -> dict[str, Any]:
    """Returns the JSON Schema of the natural JSON that the encoder of `schema` accepts.

    schema: JSON of the schema as parsed from an .avsc file. Named types other than the root are in
    `$defs` by full name. Fields with a default are optional; further properties of a field, such as
    `pii`, get the prefix `x-`. Equal schemas give equal documents.
    Raises CatalogInvalid when it is not an Avro schema.
    """
    root = read_schema(schema)
    writer = _SchemaWriter(root)
    body = writer.body(root)
    definitions = {"$defs": dict(sorted(writer.definitions.items()))} if writer.definitions else {}
    return {"$schema": DIALECT, **body, **definitions}


class _SchemaWriter:
    def __init__(self, root: Node) -> None:
        self._root = root
        self.definitions: dict[str, Any] = {}

    def of(self, node: Node) -> dict[str, Any]:
        """Returns the schema of a type: a reference if it has a name."""
        if node is self._root:
            return {"$ref": "#"}
        if not node.name:
            return self.body(node)
        if node.name not in self.definitions:
            # Added before it is complete, for recursive types.
            self.definitions[node.name] = {}
            self.definitions[node.name] = self.body(node)
        return {"$ref": f"#/$defs/{node.name}"}

    def body(self, node: Node) -> dict[str, Any]:
        match node.form:
            case "record":
                return self._record(node)
            case "array":
                return {"type": "array", "items": self.of(node.element)}
            case "map":
                return {"type": "object", "additionalProperties": self.of(node.element)}
            case "union":
                # Not oneOf: an integer fits both int and double.
                return {"anyOf": [self.of(branch) for branch in node.branches]}
            case "enum":
                return {**_described(node), "type": "string", "enum": list(node.symbols)}
            case "decimal":
                return {**_described(node), "type": "string", "pattern": _decimal(node)}
            case "fixed":
                return {**_described(node), **_fixed(node.size)}
        if node.form in SIMPLE:
            return {**_described(node), **SIMPLE[node.form]}
        return _time(node.form)

    def _record(self, node: Node) -> dict[str, Any]:
        required = [field.name for field in node.fields if field.default is ABSENT]
        return {
            **_described(node),
            "type": "object",
            "properties": {field.name: self._field(field) for field in node.fields},
            **({"required": required} if required else {}),
            "additionalProperties": False,
        }

    def _field(self, field: Field) -> dict[str, Any]:
        found = self.of(field.node)
        if field.doc:
            found = {**found, "description": field.doc}
        if field.default is not ABSENT:
            found = {**found, "default": natural_default(field)}
        return {**found, **{f"x-{key}": value for key, value in field.properties.items()}}


def _described(node: Node) -> dict[str, Any]:
    if not node.name:
        return {}
    title = {"title": short_name(node.name)}
    return {**title, "description": node.doc} if node.doc else title


def _fixed(size: int) -> dict[str, Any]:
    whole, rest = divmod(size, 3)
    pattern = rf"^[\r\n]*({DIGIT}){{{4 * whole}}}{BASE64_ENDS[rest]}$"
    return {"type": "string", "contentEncoding": "base64", "pattern": pattern}


def _decimal(node: Node) -> str:
    """Pattern with the digits that precision and scale allow, and more zeros at the end."""
    room = node.precision - node.scale
    whole = f"(0|[1-9][0-9]{{0,{room - 1}}})" if room else "0"
    fraction = f"[0-9]{{1,{node.scale}}}0*" if node.scale else "0+"
    return rf"^-?{whole}(\.{fraction})?$"


def _time(form: str) -> dict[str, Any]:
    kind = form.rpartition("-")[0]
    if kind == "time":
        return {"type": "string", "pattern": f"^{TIME}$"}
    if kind == "local-timestamp":
        return {"type": "string", "pattern": f"^{DATE}[Tt ]{TIME}$"}
    pattern = f"^{DATE}[Tt ]{TIME}{OFFSET}$"
    return {"type": "string", "format": "date-time", "pattern": pattern}
