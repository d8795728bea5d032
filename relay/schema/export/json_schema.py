"""JSON Schema (2020-12) of an event's payload in natural JSON.

It accepts what the strict encoder accepts. What JSON Schema can't say is left to the encoder:
whether a date is in the calendar, that an offset leads to no year before 1 or after 9999, that 1.0
is not a whole number, which whole numbers a double holds exactly, that text is Unicode, that a
value fits one branch of a union only, and how deeply recursive types are nested.
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
TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
OFFSET = r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
BASE64 = r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
FRACTION_DIGITS = {"millis": 3, "micros": 6, "nanos": 9}
# The least number that is too large: half a step beyond the largest float of 32 bits.
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
    """JSON Schema of a version's payload; its $id is `urn:event:<event type>:<version>`."""
    body = payload_schema(version.avsc)
    dialect = body.pop("$schema")
    return {"$schema": dialect, "$id": f"urn:event:{version.event_type}:{version.version}", **body}


def payload_schema(schema: Schema) -> dict[str, Any]:
    """JSON Schema of the natural JSON that the encoder of `schema` takes.

    schema: JSON of the schema as parsed from an .avsc file. Named types stand under `$defs` by
    their full names; the root itself stands outside. Equal schemas give equal documents.
    A field with a default is optional; a field's further properties, such as `pii`, are kept
    after `x-`.
    Raises CatalogInvalid when it is not a schema.
    """
    root = read_schema(schema)
    writer = _Writer(root)
    body = writer.body(root)
    definitions = {"$defs": dict(sorted(writer.definitions.items()))} if writer.definitions else {}
    return {"$schema": DIALECT, **body, **definitions}


class _Writer:
    def __init__(self, root: Node) -> None:
        self._root = root
        self.definitions: dict[str, Any] = {}

    def of(self, node: Node) -> dict[str, Any]:
        """The schema of a type: a reference where it has a name."""
        if node is self._root:
            return {"$ref": "#"}
        if not node.name:
            return self.body(node)
        if node.name not in self.definitions:
            # Known before it is complete, so that a recursive record ends here.
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
                # Not oneOf: a whole number fits an int and a double alike.
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
            found = {**found, "default": natural_default(field.node, field.default)}
        return {**found, **{f"x-{key}": value for key, value in field.properties.items()}}


def _described(node: Node) -> dict[str, Any]:
    if not node.name:
        return {}
    title = {"title": short_name(node.name)}
    return {**title, "description": node.doc} if node.doc else title


def _fixed(size: int) -> dict[str, Any]:
    whole, rest = divmod(size, 3)
    end = ["", "[A-Za-z0-9+/]{2}==", "[A-Za-z0-9+/]{3}="][rest]
    pattern = f"^[A-Za-z0-9+/]{{{4 * whole}}}{end}$"
    return {"type": "string", "contentEncoding": "base64", "pattern": pattern}


def _decimal(node: Node) -> str:
    """Digits before the point as precision and scale leave room for, after it as scale has;
    further zeros change nothing."""
    room = node.precision - node.scale
    whole = f"(0|[1-9][0-9]{{0,{room - 1}}})" if room else "0"
    fraction = f"[0-9]{{1,{node.scale}}}0*" if node.scale else "0+"
    return rf"^-?{whole}(\.{fraction})?$"


def _time(form: str) -> dict[str, Any]:
    kind, _, unit = form.rpartition("-")
    time = rf"{TIME}(\.[0-9]{{1,{FRACTION_DIGITS[unit]}}}0*)?"
    if kind == "time":
        return {"type": "string", "pattern": f"^{time}$"}
    if kind == "local-timestamp":
        return {"type": "string", "pattern": f"^{DATE}[Tt]{time}$"}
    pattern = f"^{DATE}[Tt]{time}{OFFSET}$"
    return {"type": "string", "format": "date-time", "pattern": pattern}
