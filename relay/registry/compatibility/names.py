"""Full names for every type of a schema text, before the `avro` package reads it.

The package has the name of a type wrong where `"namespace": ""` takes it out of its record's
namespace and where its record is an `error`, and knows no reference out of a namespace to a type
without one. With full names alone it makes no mistake. It also takes field names that are none,
a union with a named type twice, `error_union`, and aliases that are no list of names.

A name is defined before it is referred to, as the specification has it, and once; Java from 1.12
also looks further on, and takes a second definition that is equal to the first.

Source: Apache Avro 1.12 specification, "Names"; Apache Avro for Java 1.12.1, `Schema.parse`.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import avro.name
from avro.constants import PRIMITIVE_TYPES

from relay.avro.times import shown
from relay.registry.compatibility.places import ROOT, AtField, Place

__all__ = ["FullNames", "SchemaInvalid", "with_full_names"]

_NAMED = frozenset({"record", "error", "enum", "fixed"})


class SchemaInvalid(ValueError):
    """A text is no Avro schema. path: JSON path of what is wrong."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class FullNames(avro.name.Names):
    """The package's register of names, for texts that have full names only."""

    # A namespace to complete names with: there are none to complete.
    default_namespace = property(lambda _: None, lambda _, __: None)


def with_full_names(schema: Any, known: set[str]) -> Any:
    """A copy of a schema's JSON in which names and references are full.

    known: full names that may be referred to; those that the schema defines are added.
    Raises SchemaInvalid. Raises RecursionError when it is nested too deeply.
    """
    return _Completing(known).complete(schema, "", ROOT)


class _Completing:
    def __init__(self, known: set[str]) -> None:
        self._known = known
        self._open: set[str] = set()

    def complete(self, schema: Any, namespace: str, place: Place) -> Any:
        if isinstance(schema, str):
            return self._reference(schema, namespace, place)
        if isinstance(schema, list):
            return self._union(schema, namespace, place)
        if not isinstance(schema, dict):
            raise SchemaInvalid(place.path, f"{shown(schema)} is no type. Give a name, {{}} or []")
        kind = schema.get("type")
        if not isinstance(kind, str):
            raise SchemaInvalid(place.path, 'no "type", or none that is a word. Give one')
        if kind in _NAMED:
            return self._named(schema, namespace, place)
        if kind in {"array", "map"}:
            key = "items" if kind == "array" else "values"
            inner = place.to(kind)
            if key not in schema:
                raise SchemaInvalid(place.path, f'{kind} without "{key}". Say what it holds')
            return {**schema, key: self.complete(schema[key], namespace, inner)}
        if kind not in PRIMITIVE_TYPES:
            raise SchemaInvalid(
                place.path,
                f"no type {shown(kind)} that can have properties. Refer to a type by name",
            )
        return schema

    def _reference(self, name: str, namespace: str, place: Place) -> str:
        if name in PRIMITIVE_TYPES:
            return name
        full = _full(name, namespace)
        if full in self._known:
            return full
        # As Java has it, beyond the specification: a type without namespace is found from within
        # one, once its definition has ended.
        if name in self._known and name not in self._open:
            return name
        raise SchemaInvalid(
            place.path, f"no type {shown(name)}. Define it before it is referred to"
        )

    def _union(self, branches: list[Any], namespace: str, place: Place) -> list[Any]:
        found = []
        for index, branch in enumerate(branches):
            found.append(self.complete(branch, namespace, place.to(index)))
        twice = [name for name, count in Counter(map(_branch_name, found)).items() if count > 1]
        if twice:
            raise SchemaInvalid(place.path, f"the union has {twice[0]} twice. Take one out")
        return found

    def _named(self, schema: dict[str, Any], namespace: str, place: Place) -> dict[str, Any]:
        name = schema.get("name")
        if not isinstance(name, str) or not name:
            raise SchemaInvalid(place.path, f"{schema['type']} without a name. Name it")
        own = schema.get("namespace")
        full = _full(name, namespace if own is None else own).removeprefix(".")
        _check_aliases(schema, place)
        if full in self._known:
            raise SchemaInvalid(place.path, f"{full} is defined already. Refer to it by name")
        self._known.add(full)
        self._open.add(full)
        complete = {**schema, "name": full}
        complete.pop("namespace", None)
        if schema["type"] in {"record", "error"} and isinstance(schema.get("fields"), list):
            inner = full.rpartition(".")[0]
            complete["fields"] = [
                self._field(field, inner, place, position)
                for position, field in enumerate(schema["fields"])
            ]
        self._open.remove(full)
        return complete

    def _field(self, field: Any, namespace: str, record: Place, position: int) -> Any:
        at = AtField(position, "")
        path = record.at(at)
        if not isinstance(field, dict) or not isinstance(field.get("name"), str):
            raise SchemaInvalid(path.path, "a field without a name. Name it")
        if not _is_name(field["name"]):
            raise SchemaInvalid(
                path.path,
                f"{shown(field['name'])} is no name. Use letters, digits and _, no digit first",
            )
        if "type" not in field:
            raise SchemaInvalid(path.path, f"the field {field['name']} has no type. Give one")
        _check_aliases(field, path)
        return {**field, "type": self.complete(field["type"], namespace, record.to(at))}


def _full(name: str, namespace: Any) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"


def _branch_name(branch: Any) -> str:
    if isinstance(branch, dict):
        return str(branch.get("name") if branch["type"] in _NAMED else branch["type"])
    return "union" if isinstance(branch, list) else str(branch)


def _is_name(text: str) -> bool:
    # By letters of any alphabet, as Java does: texts come from other registries too.
    return (text[:1].isalpha() or text[:1] == "_") and all(
        sign.isalpha() or sign.isdecimal() or sign == "_" for sign in text
    )


def _check_aliases(entry: dict[str, Any], place: Place) -> None:
    aliases = entry.get("aliases", [])
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise SchemaInvalid(place.down("aliases").path, "no list of names. Write one, or leave it")
