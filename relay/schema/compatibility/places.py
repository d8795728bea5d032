"""Where in a schema a type stands."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ROOT", "AtField", "Place", "Step"]


class AtField(NamedTuple):
    """The type of a record's field."""

    position: int
    name: str


# To a field's type, to a branch of a union by index, to an `array`'s or `map`'s element, or
# nowhere, as where only the writer has a union.
Step = AtField | int | str | None


class Place(NamedTuple):
    """path: JSON path into the schema. field: the way to it in a payload."""

    path: str
    field: str

    def to(self, step: Step) -> Place:
        """The place one step further on."""
        match step:
            case None:
                return self
            case AtField():
                return self.at(step).down("type")
            case int():
                return Place(f"{self.path}[{step}]", self.field)
            case "array":
                return Place(f"{self.path}.items", f"{self.field}[]")
            case _:
                return Place(f"{self.path}.values", f"{self.field}{{}}")

    def at(self, field: AtField) -> Place:
        """A field itself."""
        name = f"{self.field}.{field.name}" if self.field else field.name
        return Place(f"{self.path}.fields[{field.position}]", name)

    def down(self, key: str) -> Place:
        """A property of the type or the field."""
        return Place(f"{self.path}.{key}", self.field)


ROOT = Place("$", "")
