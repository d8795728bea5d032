"""Source of the function that makes an event, with keyword arguments and defaults."""

from __future__ import annotations

from relay.schema.avro.nodes import ABSENT, Node
from relay.schema.catalog import EventType
from relay.schema.codegen.names import function_name, parameter_name, snake
from relay.schema.codegen.source import docstring, exploded
from relay.schema.codegen.types import default_of_field, type_of

__all__ = ["factory"]


def factory(event_type: EventType, cls: str, root: Node) -> list[str]:
    """Lines of the function that makes the active version of an event type.

    cls: its class; root: its record. Fields with a default may be left out.
    """
    key = parameter_name(event_type.aggregate)
    if key in {snake(field.name) for field in root.fields}:
        key = "aggregate_id"
    parameters = [f"{key}: str", "*"]
    arguments = [f"**envelope({key}, occurred_at, metadata)"]
    for field in sorted(root.fields, key=lambda f: f.default is not ABSENT):
        name, kind = snake(field.name), type_of(field.node, "")
        value, mutable = ("", False) if field.default is ABSENT else default_of_field(field, "")
        if mutable and not kind.endswith("| None"):
            parameters.append(f"{name}: {kind} | None = None")
            arguments.append(f"{name}={value} if {name} is None else {name}")
            continue
        # Where None is a value of its own it can't stand for the default: the caller has to say.
        parameters.append(f"{name}: {kind}" + (f" = {value}" if value and not mutable else ""))
        arguments.append(f"{name}={name}")
    parameters += ["occurred_at: datetime | None = None", "metadata: Metadata | None = None"]
    return [
        *exploded(f"def {function_name(cls)}(", parameters, f") -> {cls}:"),
        *docstring([f"Makes {event_type.name} of `{key}`; it occurred now by default."], "    "),
        *exploded(f"return {cls}(", arguments, ")", "    "),
    ]
